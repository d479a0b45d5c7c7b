import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';

beforeAll(() => {
  loadTensorflow();
});

const { layers } = tfl;
const width = 4000;

/** The mean of a layer's output for an input of ones, in each of `steps` training steps. */
async function means(layer: tfl.layers.Layer, steps: number, seed = 1): Promise<number[]> {
  // The dense layer computes the mean; a learning rate of 0 keeps its weights.
  const model = tfl.sequential({ layers: [layer, layers.dense({ units: 1, useBias: false })] });
  model.compile({
    optimizer: tf.train.sgd(0),
    loss: (target, output) => tf.mean(tf.mul(target, output)),
  });
  model.layers[1].setWeights([tf.mul(tf.ones([width, 1]), 1 / width)]);
  const fast = accelerate(model, { seed });
  const found: number[] = [];
  for (let step = 0; step < steps; step++) {
    found.push((await fast.trainOnBatch(tf.ones([1, width]), tf.ones([1, 1]))) as number);
  }
  fast.dispose();
  return found;
}

describe('random layers', () => {
  test.each([
    ['dropout', () => layers.dropout({ rate: 0.5, inputShape: [width] }), 1, 1 / Math.sqrt(width)],
    [
      'gaussianNoise',
      () => layers.gaussianNoise({ stddev: 0.5, inputShape: [width] }),
      1,
      0.5 / Math.sqrt(width),
    ],
    [
      'gaussianDropout',
      () => layers.gaussianDropout({ rate: 0.5, inputShape: [width] }),
      1,
      1 / Math.sqrt(width),
    ],
  ])(
    '%s draws new numbers in every step, around the same mean',
    async (_name, make, mean, deviation) => {
      const found = await means(make(), 30);
      // Two draws may keep the same number of values; identical draws would give a single mean.
      expect(new Set(found).size).toBeGreaterThan(20);
      for (const value of found) expect(Math.abs(value - mean)).toBeLessThan(5 * deviation);
      const average = found.reduce((sum, value) => sum + value, 0) / found.length;
      expect(Math.abs(average - mean)).toBeLessThan((5 * deviation) / Math.sqrt(30));
      const spread = Math.sqrt(
        found.reduce((sum, value) => sum + (value - average) ** 2, 0) / found.length,
      );
      expect(spread).toBeGreaterThan(deviation / 2);
      expect(spread).toBeLessThan(deviation * 2);
    },
  );

  test('alphaDropout has the mean and the mean square of TF.js, not those of the paper', async () => {
    const make = (): tfl.Sequential => {
      const model = tfl.sequential({
        layers: [
          // An identity with a weight, so that there is something to train.
          layers.prelu({ alphaInitializer: 'ones', inputShape: [width] }),
          layers.alphaDropout({ rate: 0.3 }),
        ],
      });
      model.compile({
        optimizer: tf.train.sgd(0),
        loss: (target, output) => tf.mean(tf.mul(target, output)),
        metrics: [(_target: tf.Tensor, output: tf.Tensor) => tf.mean(tf.square(output))],
      });
      return model;
    };
    const [x, y] = [tf.randomNormal([16, width], 0, 1, 'float32', 5), tf.ones([16, width])];
    const found = (await accelerate(make(), { seed: 3 }).trainOnBatch(x, y)) as number[];
    const expected = (await make().trainOnBatch(x, y)) as number[];
    for (const index of [0, 1]) expect(Math.abs(found[index] - expected[index])).toBeLessThan(0.03);
    // Dropped elements become +1.758, where the paper has -1.758: the mean moves by twice rate * 1.758 * a.
    expect(found[0]).toBeGreaterThan(0.85);
  });

  test('the seed determines the draws', async () => {
    const make = (): tfl.layers.Layer => layers.dropout({ rate: 0.5, inputShape: [width] });
    const [one, same, other] = [
      await means(make(), 3, 1),
      await means(make(), 3, 1),
      await means(make(), 3, 2),
    ];
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
  });

  test('a dropout layer with its own seed drops the same elements in every step, as in TF.js', async () => {
    const found = await means(layers.dropout({ rate: 0.5, seed: 4, inputShape: [width] }), 3);
    expect(new Set(found).size).toBe(1);
  });

  test('dropout of recurrent cells draws new masks in every step', async () => {
    const model = tfl.sequential({
      layers: [
        layers.lstm({ units: 8, dropout: 0.5, recurrentDropout: 0.5, inputShape: [4, 8] }),
        layers.dense({ units: 1 }),
      ],
    });
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    const fast = accelerate(model, { seed: 1 });
    const losses = new Set<number>();
    for (let step = 0; step < 5; step++) {
      losses.add((await fast.trainOnBatch(tf.ones([2, 4, 8]), tf.ones([2, 1]))) as number);
    }
    expect(losses.size).toBe(5);
    // The layer is restored: TF.js trains it too.
    await expect(model.trainOnBatch(tf.ones([2, 4, 8]), tf.ones([2, 1]))).resolves.toBeGreaterThan(
      0,
    );
  });
});

test('a model that is compiled again goes on drawing new numbers', async () => {
  const model = tfl.sequential({
    layers: [
      layers.dropout({ rate: 0.5, inputShape: [width] }),
      layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones' }),
    ],
  });
  const fast = accelerate(model, { seed: 1 });
  const found: number[] = [];
  for (let time = 0; time < 4; time++) {
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    found.push((await fast.trainOnBatch(tf.ones([1, width]), tf.zeros([1, 1]))) as number);
  }
  fast.dispose();
  expect(new Set(found).size).toBeGreaterThan(2);
});

test('a layer of the user with the name of a random layer, or with a call of its own, keeps its call', async () => {
  class GaussianNoise extends layers.Layer {
    static readonly className = 'GaussianNoise';
    override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.mul([x].flat()[0], 2);
    }
  }
  const model = tfl.sequential({
    layers: [
      new GaussianNoise({ inputShape: [2] }),
      layers.activation({ activation: 'linear' }),
      layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones' }),
    ],
  });
  const [, changed] = model.layers;
  changed.call = (x) => tf.add([x].flat()[0], 1);
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
  const x = tf.ones([5, 2]);
  const fast = accelerate(model);
  // Two batch shapes, hence two recordings.
  const { history } = await fast.fit(x, tf.zeros([5, 1]), { batchSize: 3, verbose: 0 });
  expect(history['loss'][0]).toBeCloseTo(36, 4);
  expect((model.predict(x) as tf.Tensor).dataSync()[0]).toBeCloseTo(6, 5);
  fast.dispose();
});

test('a layer of the user named ReLU after a batch norm is called as it is', async () => {
  class ReLU extends layers.Layer {
    static readonly className = 'ReLU';
    override call(x: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.square([x].flat()[0]);
    }
  }
  const model = tfl.sequential({
    layers: [
      layers.batchNormalization({ inputShape: [1] }),
      new ReLU({}),
      layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones' }),
    ],
  });
  model.compile({ optimizer: tf.train.sgd(0), loss: 'meanAbsoluteError' });
  const fast = accelerate(model);
  // Normalised, the two examples are -1 and 1; their squares are 1.
  const loss = await fast.trainOnBatch(tf.tensor2d([[3], [5]]), tf.zeros([2, 1]));
  expect(loss).toBeCloseTo(1, 2);
  fast.dispose();
});
