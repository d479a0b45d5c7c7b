import * as tf from '@tensorflow/tfjs-core';
import { loadTensorflow } from './tensorflow';

/** Random tensors of a step, which depend only on the seed that the step is fed. */
export interface RandomSource {
  /** Draws from U[0, 1). */
  uniform(shape: readonly number[]): tf.Tensor;
  /** Draws from the normal distribution of mean 0 and standard deviation 1. */
  normal(shape: readonly number[]): tf.Tensor;
}

/**
 * Draws inside a step with TensorFlow's stateless operations. A recording holds the operation instead of its numbers, so
 * each run draws new numbers from the seed that it is fed.
 *
 * The n-th draw of a step uses the key (seed[0] + n, seed[1]). If seed[1] is the number of the step and seed[0] stays the
 * same, all draws of all steps differ.
 *
 * @param seed int32 `[2]`
 * @param drawn the number of draws so far, if a step uses several sources
 */
export function randomSource(seed: tf.Tensor, drawn = { count: 0 }): RandomSource {
  const draw = (op: string, shape: readonly number[]): tf.Tensor =>
    tf.tidy(() => {
      const { backend } = loadTensorflow();
      const { binding } = backend;
      const key = tf.add(seed, tf.tensor1d([drawn.count++, 0], 'int32'));
      const type = (name: string, value: number) => ({
        name,
        type: binding.TF_ATTR_TYPE,
        value,
      });
      return backend.executeSingleOutput(
        op,
        [
          type('dtype', binding.TF_FLOAT),
          type('T', binding.TF_INT32),
          type('Tseed', binding.TF_INT32),
        ],
        [tf.tensor1d([...shape], 'int32'), key],
      );
    });
  return {
    uniform: (shape) => draw('StatelessRandomUniform', shape),
    normal: (shape) => draw('StatelessRandomNormal', shape),
  };
}
