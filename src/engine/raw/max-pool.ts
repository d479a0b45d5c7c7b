import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from './register';

/**
 * The largest value of each `size` x `size` window of x `[N,H,W,C]`. Windows do not overlap; pixels that do not fill a
 * window are dropped. Requires `hasOwnKernels()`; `size` is at most 16.
 *
 * The gradient keeps a byte per result, its position in the window, instead of x. Of equal values the first counts. NaN
 * counts as the largest; TensorFlow's CPU kernel ignores it.
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
