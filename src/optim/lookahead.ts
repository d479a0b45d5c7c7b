import type * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';

/**
 * An average of the network that the network itself is set to every few steps, as data: slow = decay slow + (1 - decay)
 * fast, fast = slow.
 *
 * @see Zhang et al., Lookahead Optimizer: k steps forward, 1 step back, arXiv:1907.08610 (2019)
 */
export interface Lookahead {
  /** The share of the slow weights that one update keeps. */
  readonly decay: number;
  /** Steps between two updates. */
  readonly every: number;
  /** Completed epochs at which the slow weights start as a copy of the network; default: 0. */
  readonly from?: number;
}

/** What happens to the slow weights after a step. */
export type LookaheadAction = 'start' | 'update' | 'nothing';

/**
 * What a lookahead does after a step of the run.
 *
 * @param step 0 means before the first step
 * @param positionAt the position in the schedule after a number of training steps; default: that number
 * @throws OptimError if `every` is not an integer from 1
 */
export function lookaheadAction(
  { every, from = 0 }: Lookahead,
  step: number,
  stepsPerEpoch: number,
  positionAt: (steps: number) => number = (steps) => steps,
): LookaheadAction {
  if (!Number.isInteger(every) || every < 1) {
    throw new OptimError(`lookahead: "every" must be a positive integer; got ${every}.`);
  }
  const start = Math.round(from * stepsPerEpoch);
  const updatesAt = (steps: number): number =>
    steps < 0 ? -1 : Math.floor((positionAt(steps) - start) / every + 1e-9);
  const [before, now] = [updatesAt(step - 1), updatesAt(step)];
  if (now < 0 || now === before) return 'nothing';
  return before < 0 ? 'start' : 'update';
}

/** The slow weights after an update, for every tensor; new tensors. The caller sets the network to the same values. */
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
