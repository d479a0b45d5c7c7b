import { executionText } from './execution';
import { isTimed } from './load';
import type { Run } from './run';

/** Finished full-scale runs of one experiment at one length, on any machine, whose accuracies are averaged together. */
export interface FullRuns {
  /** The experiment's name. */
  readonly name: string;
  /** Epochs set by `run.epochs=…`; absent for the experiment's own length. */
  readonly epochs?: number;
  /** The newest run per seed, execution and kind of machine; repetitions add no evidence. */
  readonly runs: readonly (Run & Required<Pick<Run, 'result'>>)[];
}

/** The override that changes the length of a run. */
const length = /^run\.epochs=(\d+(?:\.\d+)?)$/;

/**
 * The epochs set by a run's overrides if they change nothing else: undefined without overrides, null if something else is
 * changed.
 */
export function lengthOf(overrides: readonly string[]): number | undefined | null {
  const [change, ...more] = overrides;
  if (change === undefined) return undefined;
  const epochs = length.exec(change)?.[1];
  return epochs === undefined || more.length > 0 ? null : Number(epochs);
}

/** The finished full-scale runs without a change other than their length, by experiment and length. */
export function fullRuns(runs: readonly Run[]): FullRuns[] {
  const found = new Map<string, FullRuns & { readonly bySeed: Map<string, Run> }>();
  for (const run of runs) {
    const { name, scale, overrides, budget, result, seed, machine, started } = run;
    const epochs = lengthOf(overrides);
    // The number of epochs that fit into a budget depends on the machine.
    if (budget !== undefined) continue;
    if (scale !== 'full' || result === undefined || epochs === null) continue;
    const key = `${name} ${epochs ?? ''}`;
    const group = found.get(key) ?? {
      name,
      ...(epochs === undefined ? {} : { epochs }),
      runs: [],
      bySeed: new Map<string, Run>(),
    };
    found.set(key, group);
    const place = `${seed}, ${executionText(run)}, ${machine}`;
    const before = group.bySeed.get(place);
    if (before === undefined || before.started <= started) group.bySeed.set(place, run);
  }
  return [...found.values()].map(({ bySeed, ...group }) => ({
    ...group,
    runs: [...bySeed.values()] as (Run & Required<Pick<Run, 'result'>>)[],
  }));
}

/** The runs of an experiment at a length. */
export function runsOf(
  groups: readonly FullRuns[],
  name: string,
  epochs?: number,
): FullRuns['runs'] {
  return groups.find((group) => group.name === name && group.epochs === epochs)?.runs ?? [];
}

/**
 * Operations of one of these runs, in PFLOP; undefined if none was counted. Takes the minimum, because TensorFlow's own
 * gradients, as on a GPU, include outputs that a pooling drops.
 */
export function pflopOf(runs: FullRuns['runs']): number | undefined {
  const counts = runs.flatMap(({ result }) => result.pflop ?? []);
  return counts.length === 0 ? undefined : Math.min(...counts);
}

/**
 * Mean seconds of training on each kind of machine and by each execution, as these are not comparable: `407 s (4 on AMD EPYC, 2 cores)`. Runs whose
 * times do not count are left out; undefined if none is left.
 */
export function secondsText(runs: FullRuns['runs']): string | undefined {
  const timed = runs.filter(isTimed);
  if (timed.length === 0) return undefined;
  const byMachine = new Map<string, number[]>();
  for (const run of timed) {
    const place = `${run.machine}, ${executionText(run)}`;
    byMachine.set(place, [...(byMachine.get(place) ?? []), run.result.trainSec]);
  }
  return [...byMachine]
    .map(([place, seconds]) => {
      const mean = seconds.reduce((sum, second) => sum + second, 0) / seconds.length;
      return `${mean.toFixed(0)} s (${seconds.length} on ${place})`;
    })
    .join('; ');
}
