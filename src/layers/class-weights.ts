import * as tf from '@tensorflow/tfjs-core';
import { TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';

/** A factor for the loss of each class, by class number. */
export type ClassWeights = Readonly<Record<number, number>>;

/**
 * The weight of each example of a batch according to its class, or null for an output without class weights. `fit` leaves
 * this to TF.js; `fitDataset` cannot, as TF.js does it inside its own loop over the data set.
 *
 * @throws TrainError for a class without a weight, or targets that are neither classes nor one-hot
 */
export async function classWeightsFor(
  given: ClassWeights | ClassWeights[] | Record<string, ClassWeights> | undefined,
  outputNames: readonly string[],
  targets: readonly tf.Tensor[],
): Promise<(HostTensor | null)[]> {
  if (given === undefined || given === null) return [];
  return Promise.all(
    outputNames.map(async (name, index) => {
      const weights = weightsOf(given, outputNames, index);
      return weights === undefined ? null : ofExamples(name, weights, targets[index]);
    }),
  );
}

function weightsOf(
  given: ClassWeights | ClassWeights[] | Record<string, ClassWeights>,
  outputNames: readonly string[],
  index: number,
): ClassWeights | undefined {
  if (Array.isArray(given)) return given[index];
  if (outputNames[index] in given)
    return (given as Record<string, ClassWeights>)[outputNames[index]];
  return outputNames.length === 1 ? (given as ClassWeights) : undefined;
}

async function ofExamples(
  name: string,
  weights: ClassWeights,
  target: tf.Tensor,
): Promise<HostTensor> {
  if (target.rank > 2) {
    throw new TrainError(
      `accelerate: class weights need targets of rank 1 or 2; those of "${name}" are [${target.shape.join()}].`,
    );
  }
  const classes = tf.tidy(() =>
    target.rank === 2 && (target.shape as number[])[1] > 1
      ? tf.argMax(target, 1)
      : tf.reshape(target, [-1]),
  );
  const numbers = await classes.data<'float32'>();
  classes.dispose();
  const known: Readonly<Record<number, number | undefined>> = weights;
  const data = Float32Array.from(numbers, (number) => {
    const weight = known[number];
    if (weight === undefined) {
      throw new TrainError(
        `accelerate: the targets of "${name}" contain class ${number}, for which classWeight has no weight. ` +
          'Give a weight for every class.',
      );
    }
    return weight;
  });
  return { shape: [data.length], data };
}
