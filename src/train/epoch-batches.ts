import { batchIndices, epochBatches } from '../augment/epoch-order';
import { alternatingFlips } from '../augment/flip';
import { jitterPlan } from '../augment/jitter';
import type { JitterPlan } from '../augment/jitter';
import { identityPlan, plan } from '../augment/plan';
import type { Plan } from '../augment/plan';
import type { ImageShape } from '../augment/window';
import { createRng } from '../base/rng';
import type { BatchFeed } from './batches';
import type { Training } from './training';

/** The batches of an epoch as example indices, and the augmentation of each example. */
export interface EpochBatches {
  readonly batches: readonly Int32Array[];
  readonly choices: Plan;
  readonly jitter?: JitterPlan;
}

/** What determines the order and augmentation of an epoch. */
export type DrawOptions = Pick<
  Training,
  'transforms' | 'scheme' | 'maxOptions' | 'jitter' | 'batchSize' | 'dropLast'
> & {
  readonly count: number;
  /** `[H,W]` that the first transform sees. */
  readonly padded: ImageShape;
};

/**
 * Draws order and augmentation of an epoch. Each epoch has its own random streams, so any epoch can be repeated by itself.
 *
 * @param epoch counts from 1
 * @param isShuffled default: true
 */
export function drawEpoch(
  { count, padded, batchSize, dropLast = true, ...rest }: DrawOptions,
  seed: number,
  epoch: number,
  isShuffled = true,
): EpochBatches {
  const { transforms = [], scheme = 'per-example', maxOptions = 200, jitter } = rest;
  const order = isShuffled ? { rng: createRng(seed, 'order', epoch) } : {};
  const rng = createRng(seed, 'augment', epoch);
  const choices = plan(transforms, padded, count, { scheme, maxOptions, rng });
  const alternates = transforms.some((t) => t.kind === 'flip-lr' && t.isAlternating === true);
  return {
    batches: epochBatches(count, { batchSize, dropLast, ...order }),
    choices: alternates
      ? { ...choices, flip: alternatingFlips(count, epoch, createRng(seed, 'flip')) }
      : choices,
    ...(jitter === undefined
      ? {}
      : { jitter: jitterPlan(jitter, count, createRng(seed, 'jitter', epoch)) }),
  };
}

/** Examples in their original order, without augmentation: for evaluation, or to time a step. */
export function plainBatches(
  count: number,
  { batchSize, dropLast = false }: { readonly batchSize: number; readonly dropLast?: boolean },
  withJitter = false,
): EpochBatches {
  return {
    batches: epochBatches(count, { batchSize, dropLast }),
    choices: identityPlan(count),
    ...(withJitter
      ? { jitter: { shift: new Float32Array(count), scale: new Float32Array(count).fill(1) } }
      : {}),
  };
}

/** The feed of each batch. */
export function feedsOf(
  batches: readonly Int32Array[],
  { choices, jitter }: Pick<EpochBatches, 'choices' | 'jitter'>,
): BatchFeed[] {
  return batches.map((order) => ({
    ...batchIndices(choices, order),
    ...(jitter === undefined
      ? {}
      : {
          shift: Float32Array.from(order, (example) => jitter.shift[example]),
          scale: Float32Array.from(order, (example) => jitter.scale[example]),
        }),
  }));
}
