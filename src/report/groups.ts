import { ReportError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import type { Published } from '../catalogue/experiment';
import { publishedOf } from '../runs/run';
import type { Run } from '../runs/run';
import { compare } from './compare';
import type { Comparison } from './compare';
import { summarise } from './stats';
import type { Summary } from './stats';

/** Runs that differ only in their seed, and in where and when they were made. */
export interface RunGroup extends Pick<Run, 'name' | 'scale' | 'mode' | 'precision' | 'overrides'> {
  /** The experiment, and behind an `@` what tells it from other groups: `demo`, `demo@pocket`, `demo@fp32`. */
  readonly label: string;
  /** Finished runs by seed; no seed twice. */
  readonly runs: readonly (Run & Required<Pick<Run, 'result'>>)[];
  /** Runs that diverged. The statistics leave them out. */
  readonly diverged: readonly Run[];
  /** Test accuracy in percent, with the number of runs at the goal. */
  readonly acc: Summary;
  /** Seconds of training. */
  readonly time: Summary;
  /** Mean over the runs. */
  readonly imagesPerSec: number;
  /** Every machine that a run was made on; seconds of different ones do not compare. */
  readonly machines: readonly string[];
  readonly published?: Published;
}

/** Statistics of many runs. */
export interface RunReport {
  readonly groups: readonly RunGroup[];
  readonly unfinished: readonly Run[];
  /** Runs left out because a later one has the same seed: repeating a run adds no evidence. */
  readonly repeated: readonly Run[];
  /** Diverged runs of experiments and settings of which no run is finished. */
  readonly diverged: readonly Run[];
  /** Percent. */
  readonly goal: number;
  readonly level: number;
}

/** Options of {@link reportRuns}. */
export interface ReportOptions {
  /** Test accuracy in percent at which runs are counted. Default: 94. */
  readonly goal?: number;
  /** Level of the intervals. Default: 0.95. */
  readonly level?: number;
}

/**
 * Groups runs of one experiment, scale, mode, precision and overrides, and computes their statistics.
 *
 * Of several runs with one seed in a group the latest counts. Diverged runs are counted, and left out of the statistics.
 *
 * @throws ReportError if no run is finished
 */
export function reportRuns(
  runs: readonly Run[],
  { goal = 94, level = 0.95 }: ReportOptions = {},
): RunReport {
  const isOver = ({ result, failure }: Run): boolean =>
    result !== undefined || failure !== undefined;
  const unfinished = runs.filter((run) => !isOver(run));
  const repeated: Run[] = [];
  const byKind = new Map<string, Run[]>();
  for (const run of runs.filter(isOver)) {
    const { name, scale, mode, precision, overrides } = run;
    const key = JSON.stringify([name, scale, mode, precision, overrides]);
    byKind.set(key, [...(byKind.get(key) ?? []), run]);
  }
  const kinds = [...byKind.values()].map((kind) => latestBySeed(kind, repeated));
  const finished = kinds.filter((kind) => kind.some(isComplete));
  if (finished.length === 0) {
    const failed = kinds.flat().length;
    throw new ReportError(
      `report: none of ${runs.length} run${runs.length === 1 ? '' : 's'} is finished` +
        `${failed === 0 ? '' : `, ${failed} diverged`}. Finish one first.`,
    );
  }
  return {
    groups: finished.map((kind) => groupOf(kind, labelOf(kind[0], finished), { goal, level })),
    unfinished,
    repeated,
    diverged: kinds.filter((kind) => !kind.some(isComplete)).flat(),
    goal,
    level,
  };
}

function isComplete(run: Run): run is RunGroup['runs'][number] {
  return run.result !== undefined;
}

/** The latest run of each seed, by seed; earlier ones are added to `repeated`. */
function latestBySeed(runs: readonly Run[], repeated: Run[]): Run[] {
  const latest = new Map<number, Run>();
  for (const run of runs.toSorted((a, b) => (a.started < b.started ? -1 : 1))) {
    const before = latest.get(run.seed);
    if (before !== undefined) repeated.push(before);
    latest.set(run.seed, run);
  }
  return [...latest.values()].toSorted((a, b) => a.seed - b.seed);
}

function groupOf(
  kind: readonly Run[],
  label: string,
  { goal, level }: Required<ReportOptions>,
): RunGroup {
  const runs = kind.filter(isComplete);
  const [{ name, scale, mode, precision, overrides }] = runs;
  const published = publishedOf(runs[0]);
  const summaryOf = (
    key: 'accPercent' | 'trainSec' | 'imagesPerSec',
    target: number | null,
  ): Summary =>
    summarise(
      runs.map(({ result }) => result[key]),
      { target, level },
    );
  return {
    label,
    name,
    scale,
    mode,
    precision,
    overrides,
    runs,
    diverged: kind.filter((run) => !isComplete(run)),
    acc: summaryOf('accPercent', goal),
    time: summaryOf('trainSec', null),
    imagesPerSec: summaryOf('imagesPerSec', null).mean,
    machines: [...new Set(runs.map(({ machine }) => machine))],
    ...(published === undefined ? {} : { published }),
  };
}

/** The experiment's name; if it has several groups, also what tells this one from each of them. */
function labelOf(run: Run, kinds: readonly (readonly Run[])[]): string {
  const others = kinds.map(([first]) => first).filter(({ name }) => name === run.name);
  const parts = (of: Run): string[] => [
    of.scale,
    of.precision,
    of.mode,
    of.overrides.join(',') || 'as-published',
  ];
  const own = parts(run).filter((part, index) =>
    others.some((other) => parts(other)[index] !== part),
  );
  return [run.name, ...own].join('@');
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
