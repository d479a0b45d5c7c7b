import type * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';

/** An exponential moving average of a network's whole state, as data. */
export interface Ema {
  /** The share of the average that one step keeps. */
  readonly momentum: number;
  /** Steps between two updates; each update uses `momentum ** updateFreq`. */
  readonly updateFreq: number;
}

/**
 * Whether the average is updated after this step.
 *
 * @param stepInEpoch counts from 0 in each epoch
 */
export function isEmaStep({ updateFreq }: Ema, stepInEpoch: number): boolean {
  return stepInEpoch % updateFreq === 0;
}

/** The shares of the average and of the current state in an updated average. */
export type EmaShares<T> = {
  readonly kept: T;
  /** 1 - kept */
  readonly taken: T;
};

/**
 * The shares of an update.
 *
 * @param pace positions of the schedule that a step passes: 2 in a run of half the length, whose average then forgets twice as
 *   much in a step
 */
export function emaShares({ momentum, updateFreq }: Ema, pace = 1): EmaShares<number> {
  const kept = momentum ** (updateFreq * pace);
  return { kept, taken: 1 - kept };
}

/**
 * average = r average + (1 - r) current with r = momentum ** updateFreq, for every tensor: parameters and running
 * statistics alike. Returns new tensors; disposes nothing.
 *
 * @param shares default: r and 1 - r
 * @throws OptimError if the two hold different tensors
 */
export function updateEma(
  ema: Ema,
  average: Readonly<Record<string, tf.Tensor>>,
  current: Readonly<Record<string, tf.Tensor>>,
  { kept, taken }: EmaShares<number | tf.Tensor> = emaShares(ema),
): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(average).map(([path, old]) => {
      const next = current[path];
      if (next === undefined) {
        throw new OptimError(
          `ema: the network has no "${path}". Initialise the average as a copy of the network.`,
        );
      }
      return [path, old.mul(kept).add(next.mul(taken))];
    }),
  );
}
