import * as tf from '@tensorflow/tfjs-core';
import { TrainError } from '../base/errors';

/** Tensors of examples `[examples,…]`: one, a list, or an object keyed by the names of the model's inputs or outputs. */
export type ModelData = tf.Tensor | tf.Tensor[] | { readonly [name: string]: tf.Tensor };

/** Wraps a single value in a list; undefined becomes an empty list. */
export function toList<T>(given: T | T[] | undefined): T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? given : [given];
}

/**
 * Inputs as `LayersModel.predict` takes them, which knows no names: one tensor or a list.
 *
 * @throws TrainError for an object that lacks an input
 */
export function inputsInOrder(
  { inputNames }: { readonly inputNames: readonly string[] },
  data: ModelData,
): tf.Tensor | tf.Tensor[] {
  if (Array.isArray(data) || data instanceof tf.Tensor) return data;
  return inputNames.map((name) => {
    if (Object.hasOwn(data, name)) return data[name];
    throw new TrainError(
      `predict: there is no tensor for the input "${name}"; got ${Object.keys(data).join(', ') || 'nothing'}.`,
    );
  });
}

/** The tensors of a model's inputs or outputs. */
export function tensorsIn(data: ModelData): tf.Tensor[] {
  if (Array.isArray(data)) return data;
  return data instanceof tf.Tensor ? [data] : Object.values(data);
}
