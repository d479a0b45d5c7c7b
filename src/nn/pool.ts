import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';

/** The largest or the mean value of each `size` x `size` window of `[N,H,W,C]`, windows `stride` apart, no padding. */
export interface PoolLayer {
  readonly kind: 'max-pool' | 'avg-pool';
  readonly size: number;
  readonly stride: number;
}

/** The largest value of each window; windows side by side unless `stride` is given. */
export function maxPool(size: number, stride: number = size): PoolLayer {
  return { kind: 'max-pool', size, stride };
}

/** The mean of each window; windows side by side unless `stride` is given. */
export function avgPool(size: number, stride: number = size): PoolLayer {
  return { kind: 'avg-pool', size, stride };
}

/** The output `[N,H',W',C]`, H' = floor((H - size) / stride) + 1. */
export function poolForward({ kind, size, stride }: PoolLayer, x: tf.Tensor): tf.Tensor {
  if (x.rank !== 4 || Math.min(x.shape[1] ?? 0, x.shape[2] ?? 0) < size) {
    throw new LayerError(
      `${kind}: the input has shape [${x.shape.join()}]; expected [N,H,W,C] with H and W of at least ${size}. ` +
        'Take a smaller window, or one pooling layer less.',
    );
  }
  const pool = kind === 'max-pool' ? tf.maxPool : tf.avgPool;
  return pool(x as tf.Tensor4D, size, stride, 'valid');
}
