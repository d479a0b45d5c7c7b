import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from './register';

/**
 * ReLU whose gradient is TensorFlow's one ReluGrad kernel: TF.js multiplies by a step function instead, three passes
 * over the activations. Keeps the output for the gradient, not the input. May be differentiated twice.
 */
export const relu: (x: tf.Tensor) => tf.Tensor = tf.customGrad((...args) => {
  const [x, save] = args as unknown as [tf.Tensor, tf.GradSaveFunc];
  const value = tf.relu(x);
  save([value]);
  return {
    value,
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => runKernel('ReluGrad', { dy, y: saved[0] })[0],
  };
}) as (x: tf.Tensor) => tf.Tensor;
