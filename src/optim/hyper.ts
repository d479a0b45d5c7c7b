import type { Group, Optimiser } from './optimiser';
import { rescaleSteps } from './muon';
import { valueAt } from './schedule';
import type { Schedule } from './schedule';

/** An optimiser with its hyperparameters over the run, as data. */
export interface HyperSchedule extends Optimiser {
  /** Learning rate over epochs, for the **mean** loss of a batch. */
  readonly lr: Schedule;
  /** For the mean loss of a batch. */
  readonly weightDecay: number;
  readonly momentum: number;
  /** The time of the first update: 1 reads the schedules at the end of each step, 0 at its start. Default: 1. */
  readonly firstStep?: 0 | 1;
}

/** A run's length in steps, and its batch size. */
export interface StepCount {
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  /** Steps of the schedule. */
  readonly steps: number;
  /** The position in the schedule after a number of training steps; default: that number. */
  readonly positionAt?: (steps: number) => number;
}

/** The hyperparameters fed to one rule in one step; see `Hyper` of `rule.ts`. */
export type HyperFeed = {
  readonly lr: number;
  readonly weightDecay: number;
  readonly momentum: number;
  readonly rescale?: number;
};

/** The hyperparameters fed to all groups in one step. */
export type GroupedHyperFeed = HyperFeed & {
  readonly groups?: Readonly<Record<string, HyperFeed>>;
};

/**
 * The hyperparameters of each step of a run.
 *
 * The loss is summed over a batch, so learning rates are divided by the batch size and weight decay is multiplied by it.
 * Muon, whose updates do not depend on the scale of the gradient, uses both unchanged.
 *
 * @returns a function of the step, counted from 1
 * @throws OptimError if a group's Muon options are out of range
 */
export function hyperSchedule(
  optimiser: HyperSchedule,
  { batchSize, stepsPerEpoch, steps, positionAt = (count) => count }: StepCount,
): (step: number) => GroupedHyperFeed {
  const { firstStep = 1 } = optimiser;
  const epochAt = (step: number): number => positionAt(step - 1 + firstStep) / stepsPerEpoch;
  const own = optimiser.groups.flatMap((group, place) => {
    if (!hasOwnHyper(group, optimiser.rule)) return [];
    const { lr = optimiser.lr, weightDecay = optimiser.weightDecay } = group;
    const { momentum = optimiser.momentum } = group;
    const isMuon = (group.rule ?? optimiser.rule) === 'muon';
    const batch = isMuon ? 1 : batchSize;
    const rescale =
      isMuon && group.muon !== undefined ? rescaleSteps(group.muon.rescale, steps) : undefined;
    const at = (step: number): HyperFeed => ({
      lr: valueAt(lr, epochAt(step)) / batch,
      weightDecay: weightDecay * batch,
      momentum,
      ...(rescale === undefined
        ? {}
        : { rescale: rescale[Math.floor(positionAt(step - 1) + 1e-9)] ?? 0 }),
    });
    return [[String(place), at] as const];
  });
  return (step) => ({
    lr: valueAt(optimiser.lr, epochAt(step)) / batchSize,
    weightDecay: optimiser.weightDecay * batchSize,
    momentum: optimiser.momentum,
    ...(own.length === 0
      ? {}
      : { groups: Object.fromEntries(own.map(([place, at]) => [place, at(step)])) }),
  });
}

function hasOwnHyper(
  { lr, weightDecay, momentum, rule }: Group,
  usual: HyperSchedule['rule'],
): boolean {
  const isMuon = (rule ?? usual) === 'muon';
  return isMuon || [lr, weightDecay, momentum].some((value) => value !== undefined);
}
