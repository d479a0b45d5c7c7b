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

/**
 * average = r average + (1 - r) current with r = momentum ** updateFreq, for every tensor: parameters and running
 * statistics alike. Returns new tensors; disposes nothing.
 *
 * @throws OptimError if the two hold different tensors
 */
export function updateEma(
  { momentum, updateFreq }: Ema,
  average: Readonly<Record<string, tf.Tensor>>,
  current: Readonly<Record<string, tf.Tensor>>,
): Record<string, tf.Tensor> {
  const rate = momentum ** updateFreq;
  return Object.fromEntries(
    Object.entries(average).map(([path, old]) => {
      const next = current[path];
      if (next === undefined) {
        throw new OptimError(
          `ema: the network has no "${path}". Initialise the average as a copy of the network.`,
        );
      }
      return [path, old.mul(rate).add(next.mul(1 - rate))];
    }),
  );
}
