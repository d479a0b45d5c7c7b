import * as tf from '@tensorflow/tfjs-core';
import { TrainError } from '../base/errors';
import type { ModelInternals } from './internals';
import { tensorsIn } from './model-data';
import type { ModelData } from './model-data';
import { rowsOrNull } from './rows';
import type { Rows } from './rows';

/** A factor for each example's loss, `[examples]`; a list with one or null for each output if there are several. */
export type SampleWeights = tf.Tensor | (tf.Tensor | null)[];

/**
 * Sample weights as a list: one for each output, or empty.
 *
 * @param x the inputs that they belong to
 * @throws TrainError unless there is a factor for each example, and a tensor or null for each output
 */
export function sampleWeightsOf(
  { outputNames }: Pick<ModelInternals, 'outputNames'>,
  x: ModelData,
  given: SampleWeights | null | undefined,
): readonly (tf.Tensor | null)[] {
  if (given === undefined || given === null) return [];
  const list = Array.isArray(given) ? given : [given];
  if (list.length !== outputNames.length) {
    const outputs = outputNames.map((name) => `"${name}"`).join(', ');
    throw new TrainError(
      `accelerate: sampleWeight is ${Array.isArray(given) ? `a list of ${list.length}` : 'one tensor'}, but the model has the ` +
        `output${outputNames.length === 1 ? '' : 's'} ${outputs}. Give a list with a tensor or null for each output.`,
    );
  }
  const examples = tensorsIn(x)[0]?.shape[0];
  for (const [index, weights] of list.entries()) {
    // Inputs that are not tensors are left to TF.js, which names them.
    if (weights === null || examples === undefined) continue;
    if (weights.rank === 1 && weights.shape[0] === examples) continue;
    throw new TrainError(
      `accelerate: the sampleWeight of "${outputNames[index]}" has the shape [${weights.shape.join()}]; expected ` +
        `[${examples}], a factor for each of the ${examples} examples.`,
    );
  }
  return list;
}

/** Appends the weights of the examples to inputs and targets: class weights, sample weights, or their product. */
export function withSampleWeights(
  rows: readonly (Rows | null)[],
  model: ModelInternals,
  sampleWeights: readonly (tf.Tensor | null)[],
): (Rows | null)[] {
  const first = model.inputs.length + model.outputs.length;
  const given = sampleWeights.map(rowsOrNull);
  if (given.every((part) => part === null)) return [...rows];
  const count = (rows[0] as Rows).count;
  return [
    ...rows.slice(0, first),
    ...given.map((part, index) => {
      const ofClasses = rows[first + index] ?? null;
      if (part === null || ofClasses === null) return part ?? ofClasses;
      const weights = Float32Array.from(part.slice(0, count).data);
      const factors = ofClasses.slice(0, count).data;
      return rowsOfVector(weights.map((weight, row) => weight * factors[row]));
    }),
  ];
}

function rowsOfVector(data: Float32Array): Rows {
  return {
    count: data.length,
    gather: (indices) => ({
      shape: [indices.length],
      data: Float32Array.from(indices, (index) => data[index]),
    }),
    slice: (start, end) => ({ shape: [end - start], data: data.subarray(start, end) }),
  };
}

/**
 * The losses of a model, each multiplied by the weights of the examples. TF.js does this too, but along the last axis of a
 * loss: in one of shape `[examples,steps]`, it would weight the steps.
 *
 * @param weights of each output, or null: `[examples]`
 * @throws TrainError, when called, for a loss that is not one number for each example: it would be scaled by their mean
 */
export function weightedLosses(
  { lossFunctions, outputNames }: Pick<ModelInternals, 'lossFunctions' | 'outputNames'>,
  weights: readonly (tf.Tensor | null)[],
): readonly unknown[] {
  return lossFunctions.map((of, index) => {
    const factors = weights[index] ?? null;
    if (factors === null) return of;
    const lossOf = of as (target: tf.Tensor, output: tf.Tensor) => tf.Tensor;
    return (target: tf.Tensor, output: tf.Tensor): tf.Tensor => {
      const loss = lossOf(target, output);
      const [examples] = factors.shape;
      if (loss.shape[0] !== examples) {
        throw new TrainError(
          `accelerate: the loss of "${outputNames[index]}" has the shape [${loss.shape.join()}] instead of one number for each of the ` +
            `${examples} examples, which their weights need. Name the loss, as in 'meanSquaredError', or pass tf.losses ` +
            'tf.Reduction.NONE.',
        );
      }
      const further = loss.shape.slice(1).map(() => 1);
      return tf.mul(loss, tf.reshape(factors, [examples, ...further]));
    };
  });
}
