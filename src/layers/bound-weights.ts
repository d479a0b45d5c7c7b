import * as tf from '@tensorflow/tfjs-core';
import type { Weight } from './internals';

/**
 * Runs `action` with a model's weights bound to `values`: layers read these, and assignments replace them.
 *
 * @param kept receives the variables created here; dispose them when the recording has ended
 * @returns the result of `action`, and the values of the weights after it
 */
export function withWeights<T>(
  weights: readonly Weight[],
  values: readonly tf.Tensor[],
  kept: tf.Tensor[],
  action: () => T,
): { readonly result: T; readonly after: readonly tf.Tensor[] } {
  const own = weights.map(({ val }) => val);
  const bound = values.map((value, index) => tf.variable(value, own[index].trainable));
  kept.push(...bound);
  for (const [index, weight] of weights.entries()) weight.val = bound[index];
  try {
    return { result: action(), after: bound };
  } finally {
    for (const [index, weight] of weights.entries()) weight.val = own[index];
  }
}
