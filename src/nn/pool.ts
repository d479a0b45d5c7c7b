import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import { ownMaxPool } from '../engine/raw/max-pool';
import { hasOwnKernels } from '../engine/raw/own-kernels';

/** The largest or the mean value of each `size` x `size` window of `[N,H,W,C]`, windows `stride` apart, no padding. */
export interface PoolLayer {
  readonly kind: 'max-pool' | 'avg-pool';
  readonly size: number;
  readonly stride: number;
}

/** A pooling over the whole image. */
export interface GlobalPoolLayer {
  readonly kind: 'global-max-pool';
}

/** The largest value of each channel of an image, whatever its height and width: `[N,1,1,C]`. */
export function globalMaxPool(): GlobalPoolLayer {
  return { kind: 'global-max-pool' };
}

/** The largest value of each window. `stride` defaults to `size`, so that windows do not overlap. */
export function maxPool(size: number, stride: number = size): PoolLayer {
  return { kind: 'max-pool', size, stride };
}

/** The mean of each window. `stride` defaults to `size`, so that windows do not overlap. */
export function avgPool(size: number, stride: number = size): PoolLayer {
  return { kind: 'avg-pool', size, stride };
}

/** Our own max pooling stores the position in a window in one byte. */
const largestOwnWindow = 16;

/** The output `[N,H',W',C]`, H' = floor((H - size) / stride) + 1. */
export function poolForward(layer: PoolLayer | GlobalPoolLayer, x: tf.Tensor): tf.Tensor {
  if (layer.kind === 'global-max-pool') {
    if (x.rank !== 4) {
      throw new LayerError(
        `global-max-pool: the input has shape [${x.shape.join()}]; expected [N,H,W,C]. Put it before flatten().`,
      );
    }
    const [, height, width] = (x as tf.Tensor4D).shape;
    return tf.maxPool(x as tf.Tensor4D, [height, width], 1, 'valid');
  }
  const { kind, size, stride } = layer;
  if (x.rank !== 4 || Math.min(x.shape[1] ?? 0, x.shape[2] ?? 0) < size) {
    throw new LayerError(
      `${kind}: the input has shape [${x.shape.join()}]; expected [N,H,W,C] with H and W of at least ${size}. ` +
        'Use a smaller window or fewer pooling layers.',
    );
  }
  if (kind === 'max-pool' && size === stride && size <= largestOwnWindow && hasOwnKernels()) {
    return ownMaxPool(x as tf.Tensor4D, size);
  }
  const pool = kind === 'max-pool' ? tf.maxPool : tf.avgPool;
  return pool(x as tf.Tensor4D, size, stride, 'valid');
}
