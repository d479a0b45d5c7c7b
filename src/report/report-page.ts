import type { Run } from '../runs/run';
import { curveChart, stripChart, timeChart } from './charts';
import type { ChartMark, ChartPoint, ChartRun } from './charts';
import { compareGroups } from './groups';
import type { RunGroup, RunReport } from './groups';
import { htmlPage } from './page';
import type { PageSection } from './page';
import { comparisonText, kindsOf, notesOf, share, summaryTable } from './report-text';

/**
 * The report as one HTML page that opens without a network: tables, accuracies of each group, curves with bands, accuracy
 * against time, and every run.
 *
 * @param compared labels of two groups to compare, as in {@link compareGroups}
 * @param mistakes sections of {@link mistakesOf}, shown after the curves
 */
export function reportPage(
  report: RunReport,
  compared?: readonly [a: string, b: string],
  mistakes: readonly PageSection[] = [],
): string {
  const { groups } = report;
  const sections: PageSection[] = [
    accuracySection(report),
    ...(compared === undefined ? [] : [comparisonSection(report, compared)]),
    ...curveSections(groups),
    timeSection(report),
    ...mistakes,
    methodSection(report.level),
    everyRunSection(groups),
  ];
  const days = groups.flatMap(({ runs }) => runs.map(({ started }) => started.slice(0, 10)));
  const [from, to] = [days.toSorted()[0], days.toSorted().at(-1)];
  const count = groups.reduce((sum, { runs }) => sum + runs.length, 0);
  return htmlPage(
    'CIFAR-10 training runs',
    `${count} runs in ${groups.length} ${groups.length === 1 ? 'group' : 'groups'}, ${kindsOf(groups)}; ` +
      `${from === to ? from : `${from} to ${to}`}.`,
    sections,
  );
}

/** Runs, published figures and the goal, as charts show them. */
function marksOf({ groups, goal }: RunReport): {
  readonly runs: readonly ChartRun[];
  readonly published: readonly ChartMark[];
  readonly goal: number | undefined;
  /** What a caption says of published figures and the goal. */
  readonly legend: string;
} {
  const runs = groups.flatMap(({ label, runs }) =>
    runs.map(({ seed, result }): ChartRun => ({
      series: label,
      seed,
      acc: result.accPercent,
      timeSec: result.trainSec,
    })),
  );
  // Published figures are of full scale; beside a smaller one they would only stretch the axis.
  const published = groups.flatMap(({ label, scale, published }): ChartMark[] => {
    if (scale !== 'full' || published?.accPercent === undefined) return [];
    const { accPercent, timeSec } = published;
    return [{ series: label, acc: accPercent, ...(timeSec === undefined ? {} : { timeSec }) }];
  });
  const isNear = groups.some(({ acc, scale }) => scale === 'full' || acc.max >= goal);
  const dashed = isNear ? ` Dashed: ${goal} %.` : '';
  const diamonds = published.length === 0 ? '' : ' Diamonds: published figures, on a V100.';
  return { runs, published, goal: isNear ? goal : undefined, legend: dashed + diamonds };
}

function accuracySection(report: RunReport): PageSection {
  const { runs, published, goal, legend } = marksOf(report);
  const means = report.groups.map(({ label, acc }) => ({
    series: label,
    mean: acc.mean,
    ...acc.interval,
  }));
  return {
    title: 'Test accuracy',
    parts: [
      { kind: 'table', ...summaryTable(report) },
      ...notesOf(report).map((text) => ({ kind: 'text', text }) as const),
      {
        kind: 'chart',
        chart: stripChart(runs, means, published, goal),
        caption: `A point a run; tick: mean, line: its ${share(report.level)} interval.${legend}`,
      },
    ],
  };
}

function comparisonSection(
  report: RunReport,
  [a, b]: readonly [a: string, b: string],
): PageSection {
  const text = comparisonText(a, b, compareGroups(report, a, b), report.level);
  return {
    title: `${a} and ${b}`,
    parts: text.split('\n').map((text) => ({ kind: 'text', text })),
  };
}

/** None if no run kept its epochs. */
function curveSections(groups: readonly RunGroup[]): PageSection[] {
  const points = (value: (row: Run['rows'][number]) => number): ChartPoint[] =>
    groups.flatMap(({ label, runs }) =>
      runs.flatMap(({ rows }) =>
        rows.map((row) => ({ series: label, epoch: row.epoch, value: value(row) })),
      ),
    );
  const accuracies = points(({ valid }) => 100 * valid.acc);
  if (accuracies.length === 0) return [];
  const losses = points(({ valid }) => valid.loss);
  const caption = 'Mean over the runs, and one standard deviation to each side.';
  return [
    {
      title: 'Learning curves',
      parts: [
        { kind: 'chart', chart: curveChart(accuracies, 'test accuracy, %'), caption },
        { kind: 'chart', chart: curveChart(losses, 'test loss'), caption },
      ],
    },
  ];
}

function timeSection(report: RunReport): PageSection {
  const { runs, published, goal, legend } = marksOf(report);
  const caption = `A point a run; seconds of training, without validation.${legend}`;
  return {
    title: 'Accuracy against time',
    parts: [{ kind: 'chart', chart: timeChart(runs, published, goal), caption }],
  };
}

function methodSection(level: number): PageSection {
  return {
    title: 'How these figures are made',
    parts: [
      'Accuracy is of the last epoch, on the test images. sd is the standard deviation of the sample (n - 1).',
      `The interval is Student's t: it covers the true mean with ${share(level)} confidence.`,
      'Groups with the same seeds are compared pair by pair, others by Welch’s test; p is two-sided.',
    ].map((text) => ({ kind: 'text', text })),
  };
}

function everyRunSection(groups: readonly RunGroup[]): PageSection {
  const rows = groups.flatMap(({ label, runs }) =>
    runs.map(({ seed, result, started, path = '-' }) => [
      label,
      String(seed),
      result.accPercent.toFixed(2),
      result.trainSec.toFixed(1),
      Math.round(result.imagesPerSec).toLocaleString('en'),
      started.slice(0, 16).replace('T', ' '),
      path,
    ]),
  );
  return {
    title: `Every run (${rows.length})`,
    isFolded: true,
    parts: [
      {
        kind: 'table',
        titles: [
          'experiment',
          'seed',
          'test accuracy %',
          'training s',
          'images/s',
          'started',
          'kept in',
        ],
        rows,
      },
    ],
  };
}
