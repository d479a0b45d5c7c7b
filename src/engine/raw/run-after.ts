import type * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow } from '../tensorflow';

/** The name by which a recording knows {@link runAfter}; TensorFlow has no such operation. */
export const runAfterName = 'Cifar10FastRunAfter';

/**
 * Returns `x`, but available only when all of `first` are computed: what reads it is then not computed too early, when it
 * would hold memory. Works only within a recording, and has no gradient.
 */
export function runAfter(x: tf.Tensor, first: readonly tf.Tensor[]): tf.Tensor {
  return loadTensorflow().backend.executeSingleOutput(runAfterName, [], [x, ...first]);
}
