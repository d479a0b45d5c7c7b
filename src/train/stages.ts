import { TrainError } from '../base/errors';
import { groupOf } from '../optim/optimiser';
import type { Optimiser } from '../optim/optimiser';
import { stepsIn } from './pace';
import type { SizeStage } from './training';

/** Steps that differ only in what they are fed, so that they share one recording. */
export interface Stage {
  /** Identifies the stage; empty if images are not resampled and nothing is frozen. */
  readonly key: string;
  /** Height and width of the images, if they are resampled. */
  readonly size?: number;
  /** Paths of trainable variables that are no longer updated. */
  readonly frozen: readonly string[];
}

/** What determines the stages of a run. */
export interface StageOptions {
  readonly optimiser: Optimiser;
  readonly sizes: readonly SizeStage[];
  /** Paths of all trainable variables. */
  readonly trainable: readonly string[];
  readonly stepsPerEpoch: number;
  /** The position in the schedule after a number of training steps; default: that number. */
  readonly positionAt?: (steps: number) => number;
}

/**
 * The stage of each step of a run.
 *
 * @returns a function of the step, counted from 1; equal stages are the same object
 * @throws TrainError if the first size does not start at epoch 0, start epochs do not ascend, or a size is not an integer from 8
 */
export function createStages({
  optimiser,
  sizes,
  trainable,
  stepsPerEpoch,
  positionAt = (steps) => steps,
}: StageOptions): (step: number) => Stage {
  checkSizes(sizes);
  const ends = trainable.map((path) => {
    const place = groupOf(optimiser, path);
    const { epochs } = (place === undefined ? undefined : optimiser.groups[place]) ?? {};
    return { path, last: epochs === undefined ? Infinity : stepsIn(epochs, stepsPerEpoch) };
  });
  const stages = new Map<string, Stage>();
  return (step) => {
    const over = positionAt(step - 1) + 1e-9;
    const frozen = ends.filter(({ last }) => over >= last).map(({ path }) => path);
    const size = sizeAt(sizes, stepsPerEpoch, over);
    const key = [
      ...(size === undefined ? [] : [`${size} px`]),
      ...(frozen.length === 0 ? [] : [`${frozen.join(', ')} frozen`]),
    ].join(', ');
    const stage = stages.get(key) ?? { key, frozen, ...(size === undefined ? {} : { size }) };
    stages.set(key, stage);
    return stage;
  };
}

/** A stage of a run. */
export interface StageCount {
  readonly stage: Stage;
  /** Its first step, counted from 1. */
  readonly first: number;
  readonly steps: number;
  /** How many of them are counted by the function given. */
  readonly counted: number;
}

/** Each stage of the first `steps` steps. */
export function stageCounts(
  stageAt: (step: number) => Stage,
  steps: number,
  isCounted: (step: number) => boolean = () => false,
): StageCount[] {
  const counts = new Map<Stage, { first: number; steps: number; counted: number }>();
  for (let step = 1; step <= steps; step++) {
    const stage = stageAt(step);
    const found = counts.get(stage) ?? { first: step, steps: 0, counted: 0 };
    found.steps += 1;
    if (isCounted(step)) found.counted += 1;
    counts.set(stage, found);
  }
  return [...counts].map(([stage, count]) => ({ stage, ...count }));
}

/** Height and width of the images at a position of the schedule, in steps; undefined if they are not resampled. */
export function sizeAt(
  sizes: readonly SizeStage[],
  stepsPerEpoch: number,
  position: number,
): number | undefined {
  return sizes.findLast(({ from }) => position >= Math.round(from * stepsPerEpoch))?.size;
}

/** @throws TrainError if start epochs do not ascend from 0, or a size is not an integer from 8 */
export function checkSizes(sizes: readonly SizeStage[]): void {
  for (const [index, { from, size }] of sizes.entries()) {
    const isInOrder = index === 0 ? from === 0 : from > sizes[index - 1].from;
    if (isInOrder && Number.isInteger(size) && size >= 8) continue;
    throw new TrainError(
      `train: stage ${index + 1} of "sizes" has ${size} pixels from epoch ${from} on. The first stage starts at epoch 0, ` +
        'each of the others later than the one before, and sizes are integers of at least 8 pixels.',
    );
  }
}
