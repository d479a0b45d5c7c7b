import type * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow } from '../tensorflow';

/** The name by which a recording knows {@link widen}; TensorFlow has no such operation. */
export const widenName = 'Cifar10FastWiden';

/**
 * Returns `x` in float32, so that what reads it is computed in 32 bits: in low precision, operations otherwise follow their
 * inputs. Works only within a recording, and has no gradient.
 */
export function widen(x: tf.Tensor): tf.Tensor {
  return loadTensorflow().backend.executeSingleOutput(widenName, [], [x]);
}
