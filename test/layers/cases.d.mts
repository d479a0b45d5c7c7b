import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, ModelFitArgs, SymbolicTensor } from '@tensorflow/tfjs-layers';

/** A layer of TF.js in a small model. */
export interface LayerCase {
  readonly name: string;
  readonly shape: readonly number[];
  readonly apply: (x: SymbolicTensor) => SymbolicTensor;
  readonly isWhole?: boolean;
  readonly isRaw?: boolean;
  readonly isRandom?: boolean;
  /** Why TF.js itself cannot train it. */
  readonly fails?: string;
}

export const layerCases: readonly LayerCase[];
export const optimiserCases: readonly (readonly [name: string, make: () => tf.Optimizer])[];
export const training: ModelFitArgs;
export function makeModel(layer: LayerCase, optimizer: tf.Optimizer): LayersModel;
export function makeData(
  layer: LayerCase,
  examples?: number,
): { readonly x: tf.Tensor; readonly y: tf.Tensor };
export function worstDeviation(one: LayersModel, other: LayersModel): number;
