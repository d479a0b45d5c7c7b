/** The element types that JavaScript's typed arrays and TensorFlow's tensors share. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/**
 * A tensor in JavaScript memory, copied to the device or read back from it.
 *
 * `data` is in row-major order, its length the product of `shape`. Float32Array stands for float32, Int32Array for
 * int32, Uint8Array for bool.
 */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: HostArray;
}

export function isHostTensor(value: unknown): value is HostTensor {
  return (
    typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data)
  );
}

/** The number of elements of a shape: 1 for a scalar `[]`. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A float32 tensor, filled with `value`. */
export function filled(shape: readonly number[], value: number): HostTensor {
  return { shape, data: new Float32Array(sizeOf(shape)).fill(value) };
}

/**
 * The first NaN or infinite value, in words: `element 3 of "prep/conv/weight" is NaN`; `undefined` if all are finite. On CPUs
 * TensorFlow's max pooling and argmax ignore NaN, so a network with NaN weights can have finite outputs.
 */
export function firstNotFinite(
  tensors: Iterable<readonly [name: string, tensor: HostTensor]>,
): string | undefined {
  for (const [name, { data }] of tensors) {
    if (!(data instanceof Float32Array)) continue;
    // A loop takes a fifth of the time of findIndex.
    for (let i = 0; i < data.length; i++) {
      if (!Number.isFinite(data[i])) return `element ${i} of "${name}" is ${data[i]}`;
    }
  }
  return undefined;
}
