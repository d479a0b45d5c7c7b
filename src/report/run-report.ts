import { ReportError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import type { Precision } from '../engine/hardware';
import type { SessionMode } from '../engine/session';
import { curveChart, stripChart, timeChart } from './charts';
import type { ChartMark, ChartPoint, ChartRun } from './charts';
import { columnsText } from '../text/columns';
import { compare } from './compare';
import type { Comparison } from './compare';
import { htmlPage } from './page';
import type { PageSection } from './page';
import { summarise } from './stats';
import type { Summary } from './stats';
import type { Published, Scale } from '../catalogue/experiment';
import type { StoredRun } from '../runs/stored-run';

/** A run that came to its end. */
export type CompleteRun = StoredRun & Required<Pick<StoredRun, 'result'>>;

/** Runs that differ in nothing but their seed, and in where and when they were made. */
export interface RunGroup {
  /** The record, and behind an `@` each what tells it from the other groups: `demo`, `demo@pocket`, `demo@fp32`. */
  readonly label: string;
  readonly record: string;
  readonly scale: Scale;
  readonly mode: SessionMode;
  readonly precision: Precision;
  readonly overrides: readonly string[];
  /** By seed; no seed twice. */
  readonly runs: readonly CompleteRun[];
  /** Test accuracy in percent, with the number of runs at the goal. */
  readonly acc: Summary;
  /** Seconds of training. */
  readonly time: Summary;
  /** Mean over the runs. */
  readonly imagesPerSec: number;
  /** Every kind of machine that a run was made on; seconds of different ones are not to be compared. */
  readonly hardware: readonly string[];
  readonly published?: Published;
}

/** What many runs came to. */
export interface RunReport {
  readonly groups: readonly RunGroup[];
  readonly unfinished: readonly StoredRun[];
  /** Runs that a later one with the same seed has taken the place of: the same run again is no new evidence. */
  readonly repeated: readonly CompleteRun[];
  /** Percent. */
  readonly goal: number;
  readonly level: number;
}

/** What can be chosen about {@link reportRuns}. */
export interface ReportOptions {
  /** Test accuracy in percent that runs are counted at; 94 where absent. */
  readonly goal?: number;
  /** Level of the intervals; 0.95 where absent. */
  readonly level?: number;
}

/**
 * Puts runs of the same record, size, mode, precision and overrides together, and sums them up.
 *
 * Of several runs with the same seed in a group the one that began last counts.
 *
 * @throws ReportError if no run is finished
 */
export function reportRuns(
  runs: readonly StoredRun[],
  { goal = 94, level = 0.95 }: ReportOptions = {},
): RunReport {
  const unfinished = runs.filter(({ result }) => result === undefined);
  const repeated: CompleteRun[] = [];
  const byKind = new Map<string, CompleteRun[]>();
  for (const run of runs.filter(isComplete)) {
    const { record, scale, mode, precision, overrides } = run;
    const key = JSON.stringify([record, scale, mode, precision, overrides]);
    byKind.set(key, [...(byKind.get(key) ?? []), run]);
  }
  if (byKind.size === 0) {
    throw new ReportError(
      `report: none of ${runs.length} run${runs.length === 1 ? '' : 's'} is finished. Finish one first.`,
    );
  }
  const kinds = [...byKind.values()];
  const groups = kinds.map((group): RunGroup => {
    const newest = new Map<number, CompleteRun>();
    for (const run of group.toSorted((a, b) => (a.started < b.started ? -1 : 1))) {
      const before = newest.get(run.seed);
      if (before !== undefined) repeated.push(before);
      newest.set(run.seed, run);
    }
    const kept = [...newest.values()].toSorted((a, b) => a.seed - b.seed);
    const [{ record, scale, mode, precision, overrides, published }] = kept;
    const results = kept.map(({ result }) => result);
    return {
      label: labelOf(kept[0], kinds),
      record,
      scale,
      mode,
      precision,
      overrides,
      runs: kept,
      acc: summarise(
        results.map(({ accPercent }) => accPercent),
        { target: goal, level },
      ),
      time: summarise(
        results.map(({ trainSec }) => trainSec),
        { target: null, level },
      ),
      imagesPerSec: summarise(
        results.map(({ imagesPerSec }) => imagesPerSec),
        { target: null },
      ).mean,
      hardware: [...new Set(kept.map(({ hardware }) => hardware))],
      ...(published === undefined ? {} : { published }),
    };
  });
  return { groups, unfinished, repeated, goal, level };
}

function isComplete(run: StoredRun): run is CompleteRun {
  return run.result !== undefined;
}

/** The record's name; where it stands in several groups, also what tells this one from each of them. */
function labelOf(run: StoredRun, kinds: readonly (readonly StoredRun[])[]): string {
  const others = kinds.map(([first]) => first).filter(({ record }) => record === run.record);
  const parts = (of: StoredRun): string[] => [
    of.scale,
    of.precision,
    of.mode,
    of.overrides.join(',') || 'as-published',
  ];
  const own = parts(run).filter((part, index) =>
    others.some((other) => parts(other)[index] !== part),
  );
  return [run.record, ...own].join('@');
}

/**
 * Compares the test accuracies of two groups, named by their labels.
 *
 * @throws ReportError naming the nearest label, if there is no such group
 */
export function compareGroups({ groups, level }: RunReport, a: string, b: string): Comparison {
  const [first, second] = [a, b].map((label) => {
    const found = groups.find((group) => group.label === label);
    if (found === undefined) {
      const labels = groups.map((group) => group.label);
      throw new ReportError(
        `report: there are no finished runs called "${label}".${nearestHint(label, labels)} ` +
          `There are: ${labels.join(', ')}.`,
      );
    }
    return found.runs.map(({ seed, result }) => ({ seed, value: result.accPercent }));
  });
  return compare(first, second, { level });
}

/** Summaries as a table for people, with what was published beside them. */
export function reportText(report: RunReport): string {
  const { titles, rows } = summaryTable(report);
  const notes = notesOf(report);
  return [columnsText(titles, rows), ...(notes.length === 0 ? [] : ['', ...notes])].join('\n');
}

/** A comparison in a few sentences, each a line. */
export function comparisonText(
  a: string,
  b: string,
  { test, counts, difference, sd, interval, t, freedom, p, runsNeeded }: Comparison,
  level = 0.95,
): string {
  const how =
    test === 'paired'
      ? `${counts[0]} pairs of runs with the same seeds, paired t-test`
      : `${counts[0]} and ${counts[1]} runs, not of the same seeds, Welch's t-test`;
  const lines = [
    `${a} less ${b}: ${signed(difference, 3)} percentage points of test accuracy (${how}).`,
  ];
  if (interval === null || p === null || sd === null || freedom === null) {
    return [...lines, 'More runs are needed to say whether that is more than chance.'].join('\n');
  }
  lines.push(
    `${share(level)} interval ${signed(interval.low, 3)} to ${signed(interval.high, 3)}; ` +
      `${t === null ? 'no spread' : `t = ${t.toFixed(2)}`}, ${Number(freedom.toFixed(1))} degrees of freedom, p = ${probability(p)}: ` +
      `${p < 1 - level ? 'more than chance' : 'chance alone may do that'}.`,
  );
  if (runsNeeded !== null) {
    lines.push(
      `If this difference and its spread (${sd.toFixed(3)}) are the true ones, ${runsNeeded.toLocaleString('en')} runs of each ` +
        'show it four times out of five.',
    );
  }
  return lines.join('\n');
}

function summaryTable({ groups, goal, level }: RunReport): {
  readonly titles: string[];
  readonly rows: string[][];
} {
  const isOf = (key: 'scale' | 'precision' | 'mode'): boolean =>
    new Set(groups.map((group) => group[key])).size > 1;
  // What all groups share is told once, above or beside the table; labels tell what they do not share.
  const rows = groups.map(({ label, scale, precision, acc, time, imagesPerSec, published }) => [
    label,
    ...(isOf('scale') ? [scale] : []),
    ...(isOf('precision') ? [precision] : []),
    String(acc.count),
    acc.mean.toFixed(2),
    acc.sd === null ? '-' : acc.sd.toFixed(2),
    acc.median.toFixed(2),
    acc.interval === null
      ? '-'
      : `${acc.interval.low.toFixed(2)} to ${acc.interval.high.toFixed(2)}`,
    `${acc.reached}/${acc.count}`,
    publishedText(published),
    spread(time, 1),
    Math.round(imagesPerSec).toLocaleString('en'),
  ]);
  const titles = [
    'record',
    ...(isOf('scale') ? ['size'] : []),
    ...(isOf('precision') ? ['precision'] : []),
    'n',
    'mean %',
    'sd',
    'median',
    `${share(level)} interval`,
    `>= ${goal} %`,
    'published',
    'training s',
    'images/s',
  ];
  return { titles, rows };
}

/** Accuracy and seconds as published; the runs that they are of in brackets. */
function publishedText(published: Published | undefined): string {
  const { accPercent, timeSec, runs, reached } = published ?? {};
  const parts = [
    ...(accPercent === undefined ? [] : [`${accPercent} %`]),
    ...(reached === undefined || runs === undefined ? [] : [`${reached}/${runs}`]),
    ...(timeSec === undefined ? [] : [`${timeSec} s`]),
  ];
  return parts.length === 0 ? '-' : parts.join(', ');
}

function notesOf({ groups, unfinished, repeated }: RunReport): string[] {
  const count = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;
  const small = groups.filter(
    ({ scale, published }) => scale !== 'full' && published !== undefined,
  );
  const mixed = groups.filter(({ hardware }) => hardware.length > 1);
  const threads = groups.filter(
    ({ runs }) => new Set(runs.map((run) => run.threads ?? 0)).size > 1,
  );
  return [
    `${count(
      groups.reduce((sum, { runs }) => sum + runs.length, 0),
      'run',
      'runs',
    )} in ${kindsOf(groups)}, on ` +
      `${[...new Set(groups.flatMap(({ hardware }) => hardware))].join('; ')}.`,
    ...(small.length === 0
      ? []
      : [
          'Published figures are of the full size on one V100; smaller sizes are other, smaller networks in shorter trainings, ' +
            'not to be compared with them.',
        ]),
    ...(mixed.length === 0
      ? []
      : [`Seconds are of several machines: ${mixed.map(({ label }) => label).join(', ')}.`]),
    ...(threads.length === 0
      ? []
      : [
          `Runs with different numbers of threads are together in ${threads.map(({ label }) => label).join(', ')}; ` +
            'the same seed gives other bits there.',
        ]),
    ...(repeated.length === 0
      ? []
      : [
          `${count(repeated.length, 'run was', 'runs were')} left out, as a later one has the same seed: ` +
            `${repeated.map(({ path }) => path).join(', ')}.`,
        ]),
    ...(unfinished.length === 0
      ? []
      : [
          `${count(unfinished.length, 'run is', 'runs are')} not finished: ` +
            `${unfinished.map(({ path, rows, epochs }) => `${path} (${rows.length} of ${epochs ?? '?'} epochs)`).join(', ')}.`,
        ]),
  ];
}

/**
 * The report as one HTML page that opens without a network: tables, a strip of accuracies a group, curves with bands,
 * accuracy against time, and every run.
 *
 * @param compared labels of two groups to be compared, as in {@link compareGroups}
 * @param mistakes sections of {@link mistakesOf}, shown after the curves
 */
export function reportPage(
  report: RunReport,
  compared?: readonly [a: string, b: string],
  mistakes: readonly PageSection[] = [],
): string {
  const { groups, goal, level } = report;
  const runs = groups.flatMap(({ label, runs }) =>
    runs.map(({ seed, result }): ChartRun => ({
      series: label,
      seed,
      acc: result.accPercent,
      timeSec: result.trainSec,
    })),
  );
  // A published figure is of the full size; beside a smaller one it would only stretch the axis.
  const published = groups.flatMap(({ label, scale, published }): ChartMark[] => {
    if (scale !== 'full' || published?.accPercent === undefined) return [];
    const { accPercent, timeSec } = published;
    return [{ series: label, acc: accPercent, ...(timeSec === undefined ? {} : { timeSec }) }];
  });
  const means = groups.map(({ label, acc }) => ({
    series: label,
    mean: acc.mean,
    ...acc.interval,
  }));
  const isNear = groups.some(({ acc, scale }) => scale === 'full' || acc.max >= goal);
  const shownGoal = isNear ? goal : undefined;
  const points = (value: (row: CompleteRun['rows'][number]) => number): ChartPoint[] =>
    groups.flatMap(({ label, runs }) =>
      runs.flatMap(({ rows }) =>
        rows.map((row) => ({ series: label, epoch: row.epoch, value: value(row) })),
      ),
    );
  const accuracies = points(({ valid }) => 100 * valid.acc);
  const marks = published.length === 0 ? '' : ' Diamonds: published figures, on a V100.';
  const dashed = shownGoal === undefined ? '' : ` Dashed: ${goal} %.`;
  const band = 'Mean over the runs, and one standard deviation to each side.';
  const sections: PageSection[] = [
    {
      title: 'Test accuracy',
      parts: [
        { kind: 'table', ...summaryTable(report) },
        ...notesOf(report).map((text) => ({ kind: 'text', text }) as const),
        {
          kind: 'chart',
          chart: stripChart(runs, means, published, shownGoal),
          caption: `A point a run; tick: mean, line: its ${share(level)} interval.${dashed}${marks}`,
        },
      ],
    },
    ...(compared === undefined ? [] : [comparisonSection(report, compared)]),
    ...(accuracies.length === 0
      ? []
      : [
          {
            title: 'Learning curves',
            parts: [
              {
                kind: 'chart',
                chart: curveChart(accuracies, 'test accuracy, %'),
                caption: band,
              },
              {
                kind: 'chart',
                chart: curveChart(
                  points(({ valid }) => valid.loss),
                  'test loss',
                ),
                caption: band,
              },
            ],
          } as const,
        ]),
    {
      title: 'Accuracy against time',
      parts: [
        {
          kind: 'chart',
          chart: timeChart(runs, published, shownGoal),
          caption: `A point a run; seconds of training, validation left out.${dashed}${marks}`,
        },
      ],
    },
    ...mistakes,
    {
      title: 'How these figures are made',
      parts: [
        'Accuracy is of the last epoch, on the test images. sd is the standard deviation of the sample (n - 1).',
        `The interval is Student's: where the mean of endless runs lies, with ${share(level)} confidence.`,
        'Groups with the same seeds are compared pair by pair, others by Welch’s test; p is two-sided.',
      ].map((text) => ({ kind: 'text', text })),
    },
    {
      title: `Every run (${runs.length})`,
      isFolded: true,
      parts: [
        {
          kind: 'table',
          titles: [
            'record',
            'seed',
            'test accuracy %',
            'training s',
            'images/s',
            'begun',
            'kept in',
          ],
          rows: groups.flatMap(({ label, runs }) =>
            runs.map(({ seed, result, started, path }) => [
              label,
              String(seed),
              result.accPercent.toFixed(2),
              result.trainSec.toFixed(1),
              Math.round(result.imagesPerSec).toLocaleString('en'),
              started.slice(0, 16).replace('T', ' '),
              path,
            ]),
          ),
        },
      ],
    },
  ];
  const days = groups.flatMap(({ runs }) => runs.map(({ started }) => started.slice(0, 10)));
  const [from, to] = [days.toSorted()[0], days.toSorted().at(-1)];
  return htmlPage(
    'CIFAR-10 training runs',
    `${runs.length} runs in ${groups.length} ${groups.length === 1 ? 'group' : 'groups'}, ${kindsOf(groups)}; ` +
      `${from === to ? from : `${from} to ${to}`}.`,
    sections,
  );
}

/** As in `pocket and full size, bf16`. */
function kindsOf(groups: readonly RunGroup[]): string {
  const scales = new Set(groups.map(({ scale }) => scale));
  const precisions = new Set(groups.map(({ precision }) => precision));
  return `${[...scales].join(' and ')} size, ${[...precisions].join(' and ')}`;
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

/** A report as JSON: the figures without the rows of the epochs. */
export function reportJson(report: RunReport): object {
  return {
    goal: report.goal,
    level: report.level,
    groups: report.groups.map(({ runs, ...group }) => ({
      ...group,
      runs: runs.map(({ seed, path, result: { accPercent, trainSec, imagesPerSec } }) => ({
        seed,
        accPercent,
        trainSec,
        imagesPerSec,
        folder: path,
      })),
    })),
    unfinished: report.unfinished.map(({ path }) => path),
    repeated: report.repeated.map(({ path }) => path),
  };
}

function spread({ mean, sd }: Summary, decimals: number): string {
  return sd === null
    ? mean.toFixed(decimals)
    : `${mean.toFixed(decimals)} ± ${sd.toFixed(decimals)}`;
}

function share(level: number): string {
  return `${Number((100 * level).toFixed(2))} %`;
}

function signed(value: number, decimals: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(decimals)}`;
}

function probability(p: number): string {
  return p < 1e-4 ? p.toExponential(1) : p.toFixed(4);
}
