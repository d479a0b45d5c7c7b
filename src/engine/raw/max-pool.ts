import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from './register';

/**
 * The largest value of each `size` x `size` window of x `[N,H,W,C]`, windows side by side; what does not fill a window is
 * left out. Only where `hasOwnKernels()`; `size` is at most 16.
 *
 * For the gradient a byte is kept for each result, where in its window it was, and not x. The first of equal values
 * counts. NaN counts as the largest; TensorFlow's kernel on a processor passes over it.
 */
export function ownMaxPool(x: tf.Tensor4D, size: number): tf.Tensor4D {
  const [, height, width] = x.shape;
  return tf.customGrad((input, save) => {
    const [value, place] = runKernel('Cifar10FastMaxPool', { x: input as tf.Tensor }, { size });
    (save as tf.GradSaveFunc)([place]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [kept]: tf.Tensor[]) =>
        runKernel('Cifar10FastMaxPoolGrad', { dy, place: kept }, { size, height, width })[0],
    };
  })(x) as tf.Tensor4D;
}
