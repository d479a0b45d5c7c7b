import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from './register';

/**
 * ReLU with TensorFlow's ReluGrad kernel as its gradient. TF.js multiplies by a step function instead, which takes three
 * passes over the activations. Keeps the output for the gradient, not the input. Can be differentiated twice.
 */
export function relu(x: tf.Tensor): tf.Tensor {
  return tf.customGrad((input, save) => {
    const value = tf.relu(input as tf.Tensor);
    (save as tf.GradSaveFunc)([value]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [y]: tf.Tensor[]) => runKernel('ReluGrad', { dy, y })[0],
    };
  })(x);
}
