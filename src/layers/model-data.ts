import * as tf from '@tensorflow/tfjs-core';

/** Tensors of examples `[examples,…]`: one, a list, or an object keyed by the names of the model's inputs or outputs. */
export type ModelData = tf.Tensor | tf.Tensor[] | { readonly [name: string]: tf.Tensor };

/** Wraps a single value in a list; undefined becomes an empty list. */
export function toList<T>(given: T | T[] | undefined): T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? given : [given];
}

/** The tensors of a model's inputs or outputs. */
export function tensorsIn(data: ModelData): tf.Tensor[] {
  if (Array.isArray(data)) return data;
  return data instanceof tf.Tensor ? [data] : Object.values(data);
}
