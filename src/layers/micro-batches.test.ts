import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { examples, expectSameFit, perceptron } from '../../test/layers/perceptron';
import { LayerError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import { innerModel } from './internals';
import { partSizes } from './micro-batches';

beforeAll(() => {
  loadTensorflow();
});

const { layers } = tfl;

function compiled(first: tfl.layers.Layer, metrics: string[] = ['mae']): tfl.Sequential {
  const model = tfl.sequential({ layers: [first, layers.dense({ units: 1 })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError', metrics });
  return model;
}

const dense = (): tfl.layers.Layer => layers.dense({ units: 2, inputShape: [3] });
const sizesOf = (model: tfl.LayersModel, examplesInBatch: number, most?: number): number[] =>
  partSizes(innerModel(model), examplesInBatch, most);

describe('parts of a batch', () => {
  test('train as the batch does: weights, history, class weights, validation, a smaller last batch', async () => {
    for (const [batchSize, microBatch] of [
      [12, 4],
      [10, 4],
      [16, 15],
    ]) {
      await expectSameFit(
        () => perceptron('adam'),
        examples(50),
        { epochs: 2, batchSize, validationSplit: 0.2, classWeight: { 0: 1, 1: 3 } },
        { microBatch },
      );
    }
  });

  test('add their gradients in 32 bits in low precision', async () => {
    const model = compiled(dense());
    const fast = accelerate(model, { precision: 'bf16', microBatch: 4 });
    await fast.trainOnBatch(tf.ones([8, 3]), tf.ones([8, 1]));
    const sums = fast.recordings[0].nodes.filter(
      ({ op, inputs }) => op.startsWith('Add') && inputs[0].shape.join() === '3,2',
    );
    // The second is the update.
    expect(sums.map(({ inputs }) => inputs.map(({ dtype }) => dtype))).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  test('train convolutions with pooling, a penalty on the weights and two metrics', async () => {
    const make = (): tfl.LayersModel => {
      const penalty = tfl.regularizers.l2({ l2: 0.1 });
      const model = tfl.sequential({
        layers: [
          layers.conv2d({
            filters: 4,
            kernelSize: 3,
            activation: 'relu',
            kernelRegularizer: penalty,
            inputShape: [8, 8, 3],
          }),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.flatten(),
          layers.dense({ units: 2 }),
        ],
      });
      model.compile({ optimizer: 'rmsprop', loss: 'meanSquaredError', metrics: ['mae', 'mse'] });
      return model;
    };
    const x = tf.randomNormal([21, 8, 8, 3], 0, 1, 'float32', 5);
    const y = tf.randomNormal([21, 2], 0, 1, 'float32', 6);
    await expectSameFit(make, { x, y }, { epochs: 2, batchSize: 21 }, { microBatch: 6 });
  });

  test('are computed one after the other', async () => {
    const { x, y } = examples(12);
    const fast = accelerate(perceptron(), { microBatch: 4 });
    await fast.trainOnBatch(x, y);
    const { nodes } = await fast.profile(() => fast.trainOnBatch(x, y));
    const products = nodes
      .filter(({ name }) => name.startsWith('BatchMatMulV2_'))
      .toSorted((a, b) => a.startUs - b.startUs)
      .map(({ name }) => Number(name.split('_')[1]));
    // Two forward and three backward in each of three parts, numbered as they were recorded.
    expect(products.length).toBe(15);
    for (const end of [5, 10]) {
      expect(Math.max(...products.slice(0, end))).toBeLessThan(Math.min(...products.slice(end)));
    }
  });

  test('drop different elements', async () => {
    const model = tfl.sequential({ layers: [layers.dropout({ rate: 0.5, inputShape: [1] })] });
    model.add(layers.dense({ units: 1, useBias: false, kernelInitializer: 'ones' }));
    model.compile({ optimizer: tf.train.sgd(0), loss: 'meanSquaredError' });
    const fast = accelerate(model, { microBatch: 64, seed: 3 });
    const kept: number[] = [];
    for (let step = 0; step < 5; step++) {
      // A kept element is doubled and its square is 4.
      const loss = await fast.trainOnBatch(tf.ones([512, 1]), tf.zeros([512, 1]));
      kept.push(Math.round((Number(loss) * 512) / 4));
    }
    // With equal masks, eight parts would keep a multiple of 8.
    expect(kept.some((count) => count % 8 !== 0)).toBe(true);
    expect(kept.every((count) => count > 200 && count < 312)).toBe(true);
  });
});

describe('the sizes of parts', () => {
  test('are as equal as microBatch allows', () => {
    const model = compiled(dense());
    expect(sizesOf(model, 12, 4)).toEqual([4, 4, 4]);
    expect(sizesOf(model, 10, 4)).toEqual([4, 4, 2]);
    expect(sizesOf(model, 9, 5)).toEqual([5, 4]);
    expect(sizesOf(model, 5, 4)).toEqual([3, 2]);
    expect(sizesOf(model, 3, 1)).toEqual([1, 1, 1]);
    expect(sizesOf(model, 4, 4)).toEqual([4]);
    expect(sizesOf(model, 4, 400)).toEqual([4]);
  });

  test('by default keep the outputs of the layers within 64 MB, but are 64 or more', () => {
    // 1024 + 1 floats are 4100 bytes an example.
    const wide = compiled(layers.dense({ units: 1024, inputShape: [3] }));
    expect(sizesOf(wide, 15000)).toEqual([15000]);
    expect(sizesOf(wide, 32000)).toEqual([10667, 10667, 10666]);
    const wider = compiled(layers.dense({ units: 2 ** 20, inputShape: [1] }));
    expect(sizesOf(wider, 128)).toEqual([64, 64]);
    expect(sizesOf(wider, 127)).toEqual([127]);
    expect(sizesOf(wider, 200)).toEqual([67, 67, 66]);
    expect(sizesOf(wider, 64)).toEqual([64]);
  });

  test('by default are the batch for layers, losses and metrics that may not be per example', () => {
    const wide = { units: 2 ** 16, inputShape: [3] };
    const hasOnePart = (model: tfl.LayersModel): void => {
      expect(sizesOf(model, 1000)).toEqual([1000]);
    };
    expect(sizesOf(compiled(layers.dense(wide)), 1000).length).toBeGreaterThan(1);
    hasOnePart(compiled(layers.dense(wide), ['precision']));
    const norm = tfl.sequential({ layers: [layers.dense(wide), layers.batchNormalization()] });
    norm.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    hasOnePart(norm);
    const custom = tfl.sequential({ layers: [layers.dense(wide)] });
    custom.compile({ optimizer: 'sgd', loss: (a, b) => tf.losses.meanSquaredError(a, b) });
    hasOnePart(custom);
    const dropped = tfl.sequential({
      layers: [layers.dense(wide), layers.dropout({ rate: 0.1, seed: 1 })],
    });
    dropped.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    hasOnePart(dropped);
  });
});

describe('microBatch is refused', () => {
  test.each([
    [
      'for batch norm',
      () => layers.batchNormalization({ inputShape: [3], name: 'norm' }),
      [],
      'microBatch cannot split the batches of this model: the layer "norm" (BatchNormalization) takes its statistics',
    ],
    [
      'for dropout with a seed',
      () => layers.dropout({ rate: 0.5, seed: 1, inputShape: [3], name: 'drop' }),
      [],
      'the layer "drop" (Dropout) draws its numbers for the whole batch',
    ],
    ['for precision', dense, ['precision'], 'the metric "precision" of a batch is not the mean'],
  ] as const)('%s', async (_, layer, metrics, message) => {
    const model = compiled(layer(), [...metrics]);
    const train = accelerate(model, { microBatch: 2 }).trainOnBatch(
      tf.ones([4, 3]),
      tf.ones([4, 1]),
    );
    await expect(train).rejects.toThrow(LayerError);
    await expect(train).rejects.toThrow(message);
    // A batch that is not split is not affected.
    await accelerate(model, { microBatch: 4 }).trainOnBatch(tf.ones([4, 3]), tf.ones([4, 1]));
  });

  test.each([0, -1, 1.5, NaN])('%d examples', (microBatch) => {
    expect(() => accelerate(perceptron(), { microBatch })).toThrow(TrainError);
  });
});
