import type { Published } from '../catalogue/experiment';
import { isTimed, mostOthers, othersShare } from '../runs/load';
import type { Load } from '../runs/load';
import type { Run } from '../runs/run';
import { stripChart } from './charts';
import type { ChartMark, ChartPoint, ChartRun } from './charts';
import { curveChart, curveDomain, isShared } from './curve-chart';
import type { CurveOptions } from './curve-chart';
import { findGroup } from './group-names';
import { compareGroups } from './groups';
import type { RunGroup, RunReport } from './groups';
import { htmlPage } from './page';
import type { PagePart, PageSection } from './page';
import { comparisonText, hardwareText, kindsOf, notesOf, share, summaryTable } from './report-text';
import { timePlot } from './time-plot';
import { counted } from '../text/counted';
import { fixed } from '../text/fixed';

/**
 * The report as one HTML page that works offline: tables, accuracies of each group, curves with bands, accuracy against time,
 * and every run.
 *
 * @param compared labels of two groups to compare, as in {@link compareGroups}
 * @param mistakes sections of {@link mistakesOf}, shown after the curves
 */
export function reportPage(
  report: RunReport,
  compared?: readonly [a: string, b: string],
  mistakes: readonly PageSection[] = [],
): Promise<string> {
  const { groups } = report;
  const sections: PageSection[] = [
    accuracySection(report),
    ...(compared === undefined ? [] : [comparisonSection(report, compared)]),
    ...curveSections(report),
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
    `${counted(count, 'run')} in ${counted(groups.length, 'group')}, ${kindsOf(groups)}; ` +
      `${from === to ? from : `${from} to ${to}`}.`,
    sections,
  );
}

/** A published figure of a group, and the hardware it was measured on. */
type PublishedMark = ChartMark & Pick<Published, 'hardware'>;

/** Runs, published figures and the goal, as charts show them. */
function marksOf({ groups, goal }: RunReport): {
  readonly runs: readonly (ChartRun & { readonly machine: string })[];
  readonly published: readonly PublishedMark[];
  readonly goal: number | undefined;
  /** The caption's text on published figures and the goal. */
  readonly legend: string;
} {
  const runs = groups.flatMap(({ label, runs, machine }) =>
    runs.map(({ seed, result }) => ({
      series: label,
      machine,
      seed,
      acc: result.accPercent,
      timeSec: result.trainSec,
    })),
  );
  // Published figures are at full scale; next to smaller scales they would only stretch the axis.
  const published = groups.flatMap(({ label, scale, published }): PublishedMark[] => {
    if (scale !== 'full' || published?.accPercent === undefined) return [];
    const { accPercent, timeSec, hardware } = published;
    const time = timeSec === undefined ? {} : { timeSec };
    return [{ series: label, acc: accPercent, hardware, ...time }];
  });
  const isNear = groups.some(({ acc, scale }) => scale === 'full' || acc.max >= goal);
  const dashed = isNear ? ` Dashed: ${goal} %.` : '';
  const diamonds = published.length === 0 ? '' : ` ${diamondsText(published)}`;
  return { runs, published, goal: isNear ? goal : undefined, legend: dashed + diamonds };
}

function diamondsText(published: readonly PublishedMark[]): string {
  return `Diamonds: published figures, on one ${hardwareText(published)}.`;
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
        caption: `One point per run; tick: mean, line: its ${share(report.level)} interval.${legend}`,
      },
    ],
  };
}

function comparisonSection(report: RunReport, names: readonly [a: string, b: string]): PageSection {
  const [a, b] = names.map((name) => findGroup(report.groups, name).label);
  const text = comparisonText(a, b, compareGroups(report, a, b), report.level);
  return {
    title: `${a} and ${b}`,
    parts: text.split('\n').map((text) => ({ kind: 'text', text })),
  };
}

type EpochValue = (row: Run['rows'][number]) => number;

function pointsOf(
  groups: readonly RunGroup[],
  value: EpochValue,
  of?: string,
): readonly ChartPoint[] {
  return groups.flatMap(({ label, runs }) =>
    runs.flatMap(({ rows }) =>
      rows.map((row) => ({
        series: label,
        epoch: row.epoch,
        value: value(row),
        ...(of === undefined ? {} : { of }),
      })),
    ),
  );
}

/** Training and test on the same scale: two charts or, with many groups, both lines in the chart of each group. */
function curvePart(
  groups: readonly RunGroup[],
  values: readonly [training: EpochValue, test: EpochValue],
  what: string,
  goal?: NonNullable<CurveOptions['goal']>,
): PagePart {
  const kinds = ['training', 'test'] as const;
  const caption = 'Mean over the runs, with a band of one standard deviation to each side.';
  const all = kinds.flatMap((of, index) => pointsOf(groups, values[index], of));
  const domain = curveDomain(all, goal === undefined ? [] : [goal.value]);
  const more = { domain, ...(goal === undefined ? {} : { goal }) };
  if (!isShared(all))
    return { kind: 'chart', chart: curveChart(all, { title: what, ...more }), caption };
  const charts = kinds.map((of, index) => {
    const points = pointsOf(groups, values[index]);
    return { chart: curveChart(points, { title: `${of} ${what}`, ...more }), caption };
  });
  return { kind: 'charts', charts };
}

/** Curves of the groups whose runs stored their epochs, and the names of the others. */
function curveSections({ groups, goal }: RunReport): PageSection[] {
  const kept = groups.filter(({ runs }) => runs.some(({ rows }) => rows.length > 0));
  if (kept.length === 0) {
    const text = 'No run stored its epochs, so there are no curves.';
    return [{ title: 'Learning curves', parts: [{ kind: 'text', text }] }];
  }
  const left = groups.filter((group) => !kept.includes(group)).map(({ label }) => label);
  const [acc, loss] = [
    [({ train }) => 100 * train.acc, ({ valid }) => 100 * valid.acc],
    [({ train }) => train.loss, ({ valid }) => valid.loss],
  ] satisfies (readonly [EpochValue, EpochValue])[];
  return [
    {
      title: 'Learning curves',
      parts: [
        curvePart(kept, acc, 'accuracy, %', { value: goal, unit: ' %' }),
        curvePart(kept, loss, 'loss'),
        ...(left.length === 0
          ? []
          : [
              {
                kind: 'text',
                text: `Not drawn, as their epochs were not stored: ${left.join(', ')}.`,
              } as const,
            ]),
      ],
    },
  ];
}

function timeSection(report: RunReport): PageSection {
  const { groups, goal } = report;
  const quiet = groups.map((group) => ({
    ...group,
    runs: group.runs.filter(isTimed),
  }));
  const { runs, published } = marksOf({ ...report, groups: quiet });
  const title = 'Accuracy against time';
  if (runs.length === 0) {
    const text = `No times count: during every run, other programs used more than ${share(mostOthers)} of the processor, or an unknown share.`;
    return { title, parts: [{ kind: 'text', text }] };
  }
  const left = groups.reduce((sum, { untimed }) => sum + untimed.length, 0);
  const { unlabelled, ...plot } = timePlot(runs, published, goal);
  const timed = published.filter(({ timeSec }) => timeSec !== undefined);
  const timeless = published.filter(({ timeSec }) => timeSec === undefined);
  const names = (series: readonly string[]): string => series.join(', ');
  const caption = [
    `One point per run; seconds of training, without validation. Dashed: ${goal} %. Hover over a mark to see its run.`,
    ...(timed.length > 0 ? [diamondsText(timed)] : []),
    ...(timeless.length === 0
      ? []
      : [`No time is published for ${names(timeless.map(({ series }) => series))}.`]),
    ...(unlabelled.length === 0 ? [] : [`Not labelled, for lack of space: ${names(unlabelled)}.`]),
    ...(left === 0 ? [] : [`Excluded, as times do not count: ${counted(left, 'run')}.`]),
    ...(new Set(groups.map(({ machine }) => machine)).size > 1
      ? ['Times are from several machines: compare groups of one machine only.']
      : []),
  ].join(' ');
  return {
    title,
    parts: [{ kind: 'plot', name: 'accuracy-against-time', plot, caption }],
  };
}

function methodSection(level: number): PageSection {
  return {
    title: 'How these figures are made',
    parts: [
      `"others" is the share of the processor that other programs used during training; means and charts exclude the times of runs where it is above ${share(mostOthers)} or unknown.`,
      'Accuracy is of the last epoch, on the test images. sd is the standard deviation of the sample (n - 1).',
      `The interval is Student's t: it covers the true mean with ${share(level)} confidence.`,
      'Groups with the same seeds are compared pair by pair, others by Welch’s test; p is two-sided.',
    ].map((text) => ({ kind: 'text', text })),
  };
}

/** CPU share of other programs in percent; a dash if unknown. */
function othersText(load: Load | undefined): string {
  const others = othersShare(load);
  return others === undefined ? '-' : (100 * others).toFixed(1);
}

function everyRunSection(groups: readonly RunGroup[]): PageSection {
  const rows = groups.flatMap(({ label, runs }) =>
    runs.map(({ seed, result, load, started, path = '-' }) => [
      label,
      String(seed),
      fixed(result.accPercent, 2),
      result.trainSec.toFixed(1),
      Math.round(result.imagesPerSec).toLocaleString('en'),
      othersText(load),
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
          'others %',
          'started',
          'kept in',
        ],
        rows,
      },
    ],
  };
}
