import type * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';

/**
 * An average of the network that the network itself is set to every few steps, as data: slow = decay slow + (1 - decay)
 * fast, fast = slow.
 *
 * @see Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, arXiv:1907.08610 (2019)
 */
export interface Lookahead {
  /** What one update keeps of the slow weights. */
  readonly decay: number;
  /** Steps between two updates. */
  readonly every: number;
  /** Epochs that are over when the slow weights start as a copy of the network; default: 0. */
  readonly from?: number;
}

/** What happens to the slow weights after a step. */
export type LookaheadAction = 'start' | 'update' | 'nothing';

/**
 * What a lookahead does after a step of the run.
 *
 * @param step counts from 0; 0 means before the first step
 * @throws OptimError if `every` is not an integer from 1
 */
export function lookaheadAction(
  { every, from = 0 }: Lookahead,
  step: number,
  stepsPerEpoch: number,
): LookaheadAction {
  if (!Number.isInteger(every) || every < 1) {
    throw new OptimError(`lookahead: "every" is ${every}; give a number of steps from 1.`);
  }
  const since = step - Math.round(from * stepsPerEpoch);
  if (since === 0) return 'start';
  return since > 0 && since % every === 0 ? 'update' : 'nothing';
}

/** The slow weights after an update, for every tensor; new tensors. The network is to be set to the same values. */
export function updateLookahead(
  { decay }: Lookahead,
  slow: Readonly<Record<string, tf.Tensor>>,
  fast: Readonly<Record<string, tf.Tensor>>,
): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(slow).map(([path, old]) => [
      path,
      old.mul(decay).add(fast[path].mul(1 - decay)),
    ]),
  );
}
