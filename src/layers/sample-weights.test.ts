import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { SampleWeights } from './sample-weights';

loadTensorflow();

/** A linear model of ones whose outputs have the given names. */
function linear(names: readonly string[] = ['a']): tfl.LayersModel {
  const input = tfl.input({ shape: [1] });
  const outputs = names.map((name) =>
    tfl.layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones', name }).apply(input),
  );
  const model = tfl.model({ inputs: input, outputs: outputs as tfl.SymbolicTensor[] });
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
  return model;
}

/** The loss of the first epoch, in one batch. */
async function lossOf(
  model: tfl.LayersModel,
  x: tf.Tensor,
  y: tf.Tensor | tf.Tensor[],
  sampleWeight: SampleWeights,
): Promise<unknown> {
  const args = { verbose: 0, batchSize: 64, sampleWeight };
  return (await accelerate(model).fit(x, y, args)).history['loss'][0];
}

describe('sample weights', () => {
  // Squared errors of 0, 1, 4 and 9.
  const x = tf.tensor2d([[0], [1], [2], [3]]);
  const y = tf.zeros([4, 1]);

  test('weight the loss of each example', async () => {
    expect(await lossOf(linear(), x, y, tf.tensor1d([1, 1, 0, 0]))).toBeCloseTo(0.25, 6);
    expect(await lossOf(linear(), x, y, tf.tensor1d([0, 0, 0, 1], 'int32'))).toBeCloseTo(9 / 4, 6);
  });

  test('are refused for a loss that is not one number for each example: their mean would scale it', async () => {
    const model = linear();
    model.compile({ optimizer: tf.train.sgd(0), loss: (a, b) => tf.losses.meanSquaredError(a, b) });
    const weights = tf.tensor1d([1, 0, 0, 0]);
    await expect(lossOf(model, x, y, weights)).rejects.toThrow(
      /the loss of "a" has the shape \[\] instead of one number for each of the 4 examples/,
    );
    const none = tf.Reduction.NONE;
    model.compile({
      optimizer: tf.train.sgd(0),
      loss: (a, b) => tf.mean(tf.losses.meanSquaredError(a, b, undefined, none), -1),
    });
    expect(await lossOf(model, x, y, tf.tensor1d([0, 0, 0, 1]))).toBeCloseTo(9 / 4, 6);
  });

  test.each<readonly [what: string, names: string[], given: () => SampleWeights, message: RegExp]>([
    [
      'a column',
      ['a'],
      () => tf.tensor2d([[1], [1], [0], [0]]),
      /the sampleWeight of "a" has the shape \[4,1\]; expected \[4\], a factor for each of the 4 examples/,
    ],
    ['too few', ['a'], () => tf.ones([3]), /has the shape \[3\]; expected \[4\]/],
    ['too many', ['a'], () => tf.ones([5]), /has the shape \[5\]; expected \[4\]/],
    [
      'one tensor for two outputs',
      ['a', 'b'],
      () => tf.ones([4]),
      /sampleWeight is one tensor, but the model has the outputs "a", "b"\. Give a list/,
    ],
    [
      'a list of one for two outputs',
      ['a', 'b'],
      () => [tf.ones([4])],
      /sampleWeight is a list of 1, but the model has the outputs "a", "b"/,
    ],
    ['two for one output', ['a'], () => [tf.ones([4]), null], /has the output "a"/],
  ])('are refused if they are %s', async (_what, names, given, message) => {
    const targets = names.map(() => y);
    const training = lossOf(linear(names), x, targets, given());
    await expect(training).rejects.toThrow(TrainError);
    await expect(lossOf(linear(names), x, targets, given())).rejects.toThrow(message);
  });

  test('weight each output on its own; null leaves one unweighted', async () => {
    const weights = [tf.tensor1d([1, 1, 0, 0]), null];
    expect(await lossOf(linear(['a', 'b']), x, [y, y], weights)).toBeCloseTo(0.25 + 14 / 4, 5);
  });

  test('weight examples, not time steps, where a loss has an axis of steps', async () => {
    const model = tfl.sequential({
      layers: [tfl.layers.activation({ activation: 'linear', inputShape: [2, 3] })],
    });
    model.add(
      tfl.layers.dense({ units: 1, kernelInitializer: 'ones', useBias: false, name: 'sums' }),
    );
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    // Sums of 3 and 6 in the first example, 9 and 12 in the second: as many steps as examples.
    const steps = tf.mul(tf.tensor3d([1, 2, 3, 4], [2, 2, 1]), tf.ones([1, 1, 3]));
    const targets = tf.zeros([2, 2, 1]);
    const loss = await lossOf(model, steps, targets, tf.tensor1d([1, 0]));
    expect(loss).toBeCloseTo((9 + 36) / 4, 5);
  });

  test('cover all examples when some are split off for validation', async () => {
    const training = accelerate(linear()).fit(x, y, {
      verbose: 0,
      validationSplit: 0.5,
      sampleWeight: tf.tensor1d([0, 3, 5, 5]),
    });
    expect((await training).history['loss'][0]).toBeCloseTo(3 / 2, 6);
  });
});
