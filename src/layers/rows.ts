import type * as tf from '@tensorflow/tfjs-core';
import { DataError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostArray, HostTensor } from '../base/host-tensor';

/** The examples of a tensor, on the host. */
export interface Rows {
  readonly count: number;
  /** Examples in the order of `indices`. The next call for the same number of examples reuses the array. */
  gather(indices: ArrayLike<number>): HostTensor;
  /** Examples from `start` up to `end`, without a copy. */
  slice(start: number, end: number): HostTensor;
}

/**
 * The examples of a tensor `[examples,…]`. Numbers that TF.js still has on the host are not copied.
 *
 * @throws DataError for strings and complex numbers
 */
export function rowsOf(tensor: tf.Tensor): Rows {
  if (tensor.dtype === 'string' || tensor.dtype === 'complex64') {
    throw new DataError(
      `accelerate: a tensor [${tensor.shape.join()}] of type ${tensor.dtype} cannot be fed to a recording. ` +
        'Give float32, int32 or bool, as tf.layers does.',
    );
  }
  const data: HostArray = toArray(tensor.dataSync(), tensor.dtype);
  const [count, ...rest] = tensor.shape;
  const size = sizeOf(rest);
  let buffer: HostArray | undefined;
  return {
    count,
    gather(indices) {
      const length = indices.length * size;
      if (buffer?.length !== length) buffer = emptyLike(data, length);
      for (let row = 0; row < indices.length; row++) {
        const start = indices[row] * size;
        if (size === 1) buffer[row] = data[start];
        else buffer.set(data.subarray(start, start + size), row * size);
      }
      return { shape: [indices.length, ...rest], data: buffer };
    },
    slice: (start, end) => ({
      shape: [end - start, ...rest],
      data: data.subarray(start * size, end * size),
    }),
  };
}

/** Like {@link rowsOf}; null for null. */
export function rowsOrNull(tensor: tf.Tensor | null): Rows | null {
  return tensor === null ? null : rowsOf(tensor);
}

/** `dataSync` returns an array of the tensor's type, except for booleans created from a JavaScript array. */
function toArray(data: ArrayLike<number>, dtype: string): HostArray {
  if (data instanceof Float32Array || data instanceof Int32Array) return data;
  if (dtype === 'bool') return data instanceof Uint8Array ? data : Uint8Array.from(data);
  return dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data);
}

function emptyLike(data: HostArray, length: number): HostArray {
  return new (data.constructor as new (length: number) => HostArray)(length);
}

/** The bounds of the batches of `count` examples; the last batch may be smaller. */
export function batchBounds(
  count: number,
  batchSize: number,
): (readonly [start: number, end: number])[] {
  return Array.from({ length: Math.ceil(count / batchSize) }, (_, index) => [
    index * batchSize,
    Math.min(count, (index + 1) * batchSize),
  ]);
}
