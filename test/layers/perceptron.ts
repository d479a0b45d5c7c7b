import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { accelerate } from '../../src/layers/accelerate';
import type { AccelerateOptions, AcceleratedFitArgs } from '../../src/layers/accelerate';

const { layers } = tfl;

/** A network of two dense layers; the same weights in every call. */
export function perceptron(optimizer: tf.Optimizer | string = tf.train.sgd(0.1)): tfl.Sequential {
  const model = tfl.sequential({
    layers: [
      layers.dense({
        units: 5,
        activation: 'relu',
        inputShape: [3],
        kernelInitializer: tfl.initializers.glorotNormal({ seed: 1 }),
      }),
      layers.dense({
        units: 2,
        activation: 'softmax',
        kernelInitializer: tfl.initializers.glorotNormal({ seed: 2 }),
      }),
    ],
  });
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

/** Points in three dimensions, and on which side of a plane they are. */
export function examples(count: number): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const x = tf.randomNormal<tf.Rank.R2>([count, 3], 0, 1, 'float32', 3);
  const y = tf.tidy(() => tf.oneHot(tf.greater(tf.sum(x, 1), 0).toInt(), 2).toFloat());
  return { x, y: y as tf.Tensor2D };
}

/** Every weight of a model. */
export function weightsOf(model: tfl.LayersModel): number[][] {
  return model.getWeights().map((weight) => [...weight.dataSync()]);
}

/** Expects that weights differ by less than 1e-5. */
export function expectSameWeights(one: tfl.LayersModel, other: tfl.LayersModel): void {
  const others = weightsOf(other);
  for (const [index, weight] of weightsOf(one).entries()) {
    for (const [place, value] of weight.entries()) {
      expect(Math.abs(value - others[index][place])).toBeLessThan(1e-5);
    }
  }
}

/** Expects the same columns, and the same values to five decimals. */
export function expectSameHistory(one: tfl.History, other: tfl.History): void {
  expect(Object.keys(one.history)).toEqual(Object.keys(other.history));
  expect(one.epoch).toEqual(other.epoch);
  for (const [name, values] of Object.entries(one.history)) {
    for (const [epoch, value] of values.entries()) {
      expect(value).toBeCloseTo(other.history[name][epoch] as number, 5);
    }
  }
}

/** Runs an action with the same numbers from `Math.random` in each call. */
export async function seeded<T>(action: () => Promise<T>): Promise<T> {
  const { random } = Math;
  let state = 17;
  Math.random = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  try {
    return await action();
  } finally {
    Math.random = random;
  }
}

/** Fits one model with TF.js and one with `accelerate`; expects the same history and weights. */
export async function expectSameFit(
  makeModel: () => tfl.LayersModel,
  { x, y }: { x: tf.Tensor | tf.Tensor[]; y: tf.Tensor | tf.Tensor[] },
  args: AcceleratedFitArgs,
  options?: AccelerateOptions,
): Promise<{ plain: tfl.LayersModel; fast: tfl.LayersModel }> {
  const [plain, fast] = [makeModel(), makeModel()];
  fast.setWeights(plain.getWeights());
  const all = { verbose: 0, ...args };
  const expected = await seeded(() => plain.fit(x, y, all as never));
  const found = await seeded(() => accelerate(fast, options).fit(x, y, all));
  expectSameHistory(found, expected);
  expectSameWeights(fast, plain);
  return { plain, fast };
}
