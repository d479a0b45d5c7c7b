import { ReportError } from '../base/errors';
import type { Published } from '../catalogue/experiment';
import { deviceOf } from '../runs/execution';
import { isTimed } from '../runs/load';
import { publishedOf } from '../runs/run';
import { runChanges } from '../runs/run-changes';
import type { Run } from '../runs/run';
import { compare } from './compare';
import type { Comparison } from './compare';
import { findGroup, labelOf } from './group-names';
import { summarise } from './stats';
import type { Summary } from './stats';
import { counted } from '../text/counted';

/** Runs on one machine that differ only in their seed and start time. */
export interface RunGroup
  extends
    Pick<Run, 'name' | 'scale' | 'mode' | 'precision' | 'xla' | 'overrides' | 'budget' | 'machine'>,
    Required<Pick<Run, 'device'>> {
  /** The experiment, and after each `@` what distinguishes it from other groups: `demo`, `demo@pocket`, `demo@fp32`. */
  readonly label: string;
  /** Finished runs by seed, without duplicate seeds. */
  readonly runs: readonly (Run & Required<Pick<Run, 'result'>>)[];
  /** Runs that diverged; excluded from the statistics. */
  readonly diverged: readonly Run[];
  /** Test accuracy in percent, with the number of runs at the goal. */
  readonly acc: Summary;
  /** Seconds of training, excluding {@link RunGroup.untimed}; `null` if no run is left. */
  readonly time: Summary | null;
  /** Mean over the runs of {@link RunGroup.time}. */
  readonly imagesPerSec: number | null;
  /** Finished runs whose times do not count, as other programs used the CPU or may have; their accuracies count. */
  readonly untimed: readonly Run[];
  readonly published?: Published;
}

/** Statistics of many runs. */
export interface RunReport {
  readonly groups: readonly RunGroup[];
  readonly unfinished: readonly Run[];
  /** Runs left out because a later one on the same machine has the same seed: repeating a run adds no evidence. */
  readonly repeated: readonly Run[];
  /** Diverged runs of experiments and settings without any finished run. */
  readonly diverged: readonly Run[];
  /** Test accuracy in percent. */
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
 * Groups runs by experiment, scale, mode, precision, use of XLA, device, overrides, budget and machine, and computes their
 * statistics. Times on different machines are not comparable, so no group mixes machines.
 *
 * Of several runs with the same seed in a group, the latest counts. Diverged runs are counted but excluded from the statistics.
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
  const { kinds, repeated } = withoutRepetitions(runs.filter(isOver));
  const finished = kinds.filter((kind) => kind.some(isComplete));
  if (finished.length === 0) {
    const failed = kinds.flat().length;
    const [open] = unfinished;
    throw new ReportError(
      `report: none of ${counted(runs.length, 'run')} is finished` +
        `${failed === 0 ? '' : `, ${failed} diverged`}. ` +
        (open?.path === undefined
          ? 'Train one to completion first.'
          : `Finish one first: npx cifar10-fast train --resume ${open.path}`),
    );
  }
  const firsts = finished.map(([first]) => first);
  return {
    groups: finished.map((kind) => groupOf(kind, labelOf(kind[0], firsts), { goal, level })),
    unfinished,
    repeated,
    diverged: kinds.filter((kind) => !kind.some(isComplete)).flat(),
    goal,
    level,
  };
}

/** Runs by kind, that is, by all that may not differ within a group; of each seed only the latest. */
export function withoutRepetitions(runs: readonly Run[]): {
  /** Each by seed. */
  readonly kinds: readonly (readonly Run[])[];
  readonly repeated: readonly Run[];
} {
  const repeated: Run[] = [];
  const byKind = new Map<string, Run[]>();
  for (const run of runs) {
    const { name, scale, mode, precision, xla, machine } = run;
    const how = [mode, precision, xla, deviceOf(run)];
    const key = JSON.stringify([name, scale, how, runChanges(run), machine]);
    byKind.set(key, [...(byKind.get(key) ?? []), run]);
  }
  const kinds = [...byKind.values()].map((kind) => latestBySeed(kind, repeated));
  return { kinds, repeated };
}

function isComplete(run: Run): run is RunGroup['runs'][number] {
  return run.result !== undefined;
}

/** The latest run of each seed, by seed; earlier ones are added to `repeated`. Of runs started at once, the last counts. */
function latestBySeed(runs: readonly Run[], repeated: Run[]): Run[] {
  const latest = new Map<number, Run>();
  const byStart = (a: Run, b: Run): number =>
    Number(a.started > b.started) - Number(a.started < b.started);
  for (const run of runs.toSorted(byStart)) {
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
  const [{ name, scale, mode, precision, xla, overrides, budget, machine }] = runs;
  const published = publishedOf(runs[0]);
  const timed = runs.filter(isTimed);
  const timesOf = (key: 'trainSec' | 'imagesPerSec'): Summary | null =>
    timed.length === 0
      ? null
      : summarise(
          timed.map(({ result }) => result[key]),
          { target: null, level },
        );
  return {
    label,
    name,
    scale,
    mode,
    precision,
    xla,
    device: deviceOf(runs[0]),
    overrides,
    ...(budget === undefined ? {} : { budget }),
    machine,
    runs,
    diverged: kind.filter((run) => !isComplete(run)),
    acc: summarise(
      runs.map(({ result }) => result.accPercent),
      { target: goal, level },
    ),
    time: timesOf('trainSec'),
    imagesPerSec: timesOf('imagesPerSec')?.mean ?? null,
    untimed: runs.filter((run) => !isTimed(run)),
    ...(published === undefined ? {} : { published }),
  };
}

/**
 * Compares the test accuracies of two groups, each named by its label or by any part that matches only that group.
 *
 * @throws ReportError naming the nearest label if there is no such group, or every match if there are several
 */
export function compareGroups({ groups, level }: RunReport, a: string, b: string): Comparison {
  const [first, second] = [a, b].map((name) =>
    findGroup(groups, name).runs.map(({ seed, result }) => ({ seed, value: result.accPercent })),
  );
  return compare(first, second, { level });
}
