import { LayerError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { Rng } from '../base/rng';
import type { Graph } from '../graph/spec';
import { parametersOfGraph } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';

/** Where each trainable tensor of a network lies in a flat vector. */
export interface VectorLayout {
  /** In order of evaluation, one after the other without a gap. */
  readonly parts: readonly {
    readonly path: string;
    readonly shape: readonly number[];
    readonly from: number;
    readonly to: number;
  }[];
  /** The length of the vector: the number of parameters that an optimiser updates. */
  readonly size: number;
}

/** The layout of a network's trainable tensors as one vector. */
export function vectorLayout(graph: Graph<AnyLayer>): VectorLayout {
  let size = 0;
  const parts = parametersOfGraph(graph)
    .filter(({ parameter }) => parameter.role === 'trainable')
    .map(({ path, parameter: { shape } }) => {
      const from = size;
      size += sizeOf(shape);
      return { path, shape, from, to: size };
    });
  return { parts, size };
}

/**
 * The trainable parameters of `variables` as one new vector, `[size]` of the layout, in float32.
 *
 * @throws LayerError if one of the tensors is missing or has another size
 */
export function toVector({ parts, size }: VectorLayout, variables: HostVariables): Float32Array {
  const vector = new Float32Array(size);
  for (const { path, shape, from } of parts) vector.set(partOf(variables, path, shape).data, from);
  return vector;
}

/**
 * A vector, `[size]` of the layout, as tensors by path, each of its own shape: views of it, not copies.
 *
 * @throws LayerError if the vector has another length than the layout
 */
export function toRecord(layout: VectorLayout, vector: Float32Array): HostVariables {
  checkLength(layout, vector);
  return Object.fromEntries(
    layout.parts.map(({ path, shape, from, to }): [string, HostTensor] => [
      path,
      { shape, data: vector.subarray(from, to) },
    ]),
  );
}

/**
 * A copy of a network with its weights moved by `distance` along `direction`, `[size]` of the layout, whose own length does
 * not matter. Tensors that are not trainable are shared with the original.
 *
 * @throws LayerError if the direction is zero or has another length than the layout
 */
export function perturbed(
  layout: VectorLayout,
  variables: HostVariables,
  direction: Float32Array,
  distance: number,
): HostVariables {
  checkLength(layout, direction);
  const length = norm(direction);
  if (length === 0) throw new LayerError('perturbed: the direction is zero. Give another one.');
  const moved = toVector(layout, variables);
  addScaled(moved, distance / length, direction);
  return { ...variables, ...toRecord(layout, moved) };
}

/**
 * The squared norm of a vector's part in each tensor, by path; the vector is `[size]` of the layout.
 *
 * @throws LayerError if the vector has another length than the layout
 */
export function squaredNorms(layout: VectorLayout, vector: Float32Array): Record<string, number> {
  checkLength(layout, vector);
  return Object.fromEntries(
    layout.parts.map(({ path, from, to }) => [path, norm(vector.subarray(from, to)) ** 2]),
  );
}

/** A new vector, `[size]`, of length 1, all directions equally likely. */
export function randomDirection(size: number, rng: Rng): Float32Array {
  const vector = Float32Array.from({ length: size }, () => rng.normal());
  return scaled(vector, 1 / norm(vector));
}

/** The inner product, summed in float64. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The Euclidean length of a vector, `[n]`; its squares are summed in float64. */
export function norm(vector: Float32Array): number {
  return Math.sqrt(dot(vector, vector));
}

/** target += factor * vector, in place. */
export function addScaled(target: Float32Array, factor: number, vector: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] += factor * vector[i];
}

/** factor * vector, a new one. */
export function scaled(vector: Float32Array, factor: number): Float32Array {
  return vector.map((x) => factor * x);
}

function partOf(variables: HostVariables, path: string, shape: readonly number[]): HostTensor {
  const part = variables[path];
  if (part === undefined || part.data.length !== sizeOf(shape)) {
    throw new LayerError(
      `vector: "${path}" is ${part === undefined ? 'missing' : `[${part.shape.join()}]`}; expected ` +
        `[${shape.join()}]. Take layout and variables of the same network.`,
    );
  }
  return part;
}

function checkLength({ size }: VectorLayout, vector: Float32Array): void {
  if (vector.length === size) return;
  throw new LayerError(
    `vector: the vector has ${vector.length} numbers, but the network has ${size} trainable parameters. ` +
      'Take layout and vector of the same network.',
  );
}
