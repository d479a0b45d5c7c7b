import * as tf from '@tensorflow/tfjs-core';
import { TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';

/** A factor for the loss of each class, by class number. */
export type ClassWeights = Readonly<Record<number, number>>;

/** Class weights as `fit` and `fitDataset` take them: for the only output, or for each output in order or by name. */
export type GivenClassWeights =
  ClassWeights | (ClassWeights | null)[] | Readonly<Record<string, ClassWeights | null>>;

/**
 * The weight of each example of a batch according to its class, or null for an output without class weights. `fit` leaves
 * this to TF.js; `fitDataset` cannot, as TF.js does it inside its own loop over the data set.
 *
 * @throws TrainError for class weights that do not match the outputs, a class without a weight, or targets that are neither
 *   classes nor one-hot
 */
export async function classWeightsFor(
  given: GivenClassWeights | null | undefined,
  outputNames: readonly string[],
  targets: readonly tf.Tensor[],
): Promise<(HostTensor | null)[]> {
  if (given === undefined || given === null) return [];
  const ofOutputs = weightsOf(given, outputNames);
  return Promise.all(
    outputNames.map(async (name, index) => {
      const weights = ofOutputs[index] ?? null;
      return weights === null ? null : ofExamples(name, weights, targets[index]);
    }),
  );
}

/** The class weights of each output, accepted in the same forms as by TF.js. */
function weightsOf(
  given: GivenClassWeights,
  outputNames: readonly string[],
): readonly (ClassWeights | null | undefined)[] {
  const byName = given as Readonly<Record<string, ClassWeights | null>>;
  if (Array.isArray(given) && given.length === 0) return [];
  if (outputNames.length === 1) {
    if (Array.isArray(given) && given.length === 1) return given;
    return [outputNames[0] in given ? byName[outputNames[0]] : (given as ClassWeights)];
  }
  if (Array.isArray(given)) {
    if (given.length === outputNames.length) return given;
    throw unmatched(`has ${given.length} entries`, outputNames);
  }
  const names = Object.keys(given);
  const unknown = names.find((name) => !outputNames.includes(name));
  if (unknown !== undefined) throw unmatched(`names "${unknown}"`, outputNames);
  if (names.length === 0) throw unmatched('is empty', outputNames);
  return outputNames.map((name) => byName[name]);
}

function unmatched(found: string, outputNames: readonly string[]): TrainError {
  return new TrainError(
    `accelerate: classWeight ${found}, but the model has the outputs ${outputNames.map((name) => `"${name}"`).join(', ')}. ` +
      'Give a list with the class weights of each output, or an object keyed by their names.',
  );
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
