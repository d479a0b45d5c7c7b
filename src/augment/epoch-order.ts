import { AugmentError } from '../base/errors';
import type { Rng } from '../base/rng';
import type { Plan } from './plan';

/** Options of {@link epochBatches}. */
export interface EpochOptions {
  /** Examples per batch, a positive integer. */
  readonly batchSize: number;
  /** Drop the last batch if it is smaller than the others. */
  readonly dropLast: boolean;
  /** Shuffles the examples. Default: their original order. */
  readonly rng?: Rng;
}

/**
 * The batches of one epoch over `count` examples, as indices of examples: views `[B]` into one array, the last one
 * shorter if `batchSize` does not divide `count` and `dropLast` is false.
 *
 * With `createRng(seed, 'order', epoch)` each epoch's order can be reproduced on its own.
 *
 * @throws AugmentError if `count` is not a whole number from 0, `batchSize` is not one from 1, or `dropLast` leaves no batch.
 */
export function epochBatches(
  count: number,
  { batchSize, dropLast, rng }: EpochOptions,
): Int32Array[] {
  if (!Number.isInteger(count) || !Number.isInteger(batchSize) || count < 0 || batchSize < 1) {
    throw new AugmentError(
      `batches: ${count} examples in batches of ${batchSize}: expected whole numbers, at least 0 and 1.`,
    );
  }
  if (dropLast && batchSize > count) {
    throw new AugmentError(
      `batches: ${count} examples in batches of ${batchSize} with dropLast leave no batch. ` +
        `Use a batch size of at most ${count}, or keep the last batch.`,
    );
  }
  const order = rng ? rng.permutation(count) : Int32Array.from({ length: count }, (_, i) => i);
  const batches = dropLast ? Math.floor(count / batchSize) : Math.ceil(count / batchSize);
  return Array.from({ length: batches }, (_, i) =>
    order.subarray(i * batchSize, (i + 1) * batchSize),
  );
}

/** The inputs of a training step for a batch, `[B]` int32 each; see {@link gatherTables} for how the device uses them. */
export interface BatchIndices {
  readonly order: Int32Array;
  readonly cropY: Int32Array;
  readonly cropX: Int32Array;
  readonly flip: Int32Array;
  readonly boxY: Int32Array;
  readonly boxX: Int32Array;
}

/**
 * The choices of a plan for the examples of one batch (or of several, concatenated), in batch order. New arrays, `[B]`
 * each.
 *
 * @throws AugmentError if an index is not one of the plan's examples.
 */
export function batchIndices(plan: Plan, order: Int32Array): BatchIndices {
  for (const example of order) {
    if (example < 0 || example >= plan.count) {
      throw new AugmentError(
        `batches: the batch holds example ${example}, but the plan has examples 0..${plan.count - 1}. ` +
          'Make plan and batches for the same number of examples.',
      );
    }
  }
  const pick = (values: Int32Array): Int32Array => order.map((example) => values[example]);
  return {
    order: order.slice(),
    cropY: pick(plan.cropY),
    cropX: pick(plan.cropX),
    flip: pick(plan.flip),
    boxY: pick(plan.boxY),
    boxX: pick(plan.boxX),
  };
}
