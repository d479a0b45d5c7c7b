import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { AcceleratedFitArgs } from './accelerate';
import {
  perceptron,
  examples,
  weightsOf,
  expectSameWeights,
  expectSameFit,
} from '../../test/layers/perceptron';

beforeAll(() => {
  loadTensorflow();
});

const { layers } = tfl;

describe('fit', () => {
  test('shuffles, splits off validation data and handles a smaller last batch as TF.js does', async () => {
    await expectSameFit(() => perceptron(), examples(50), {
      epochs: 3,
      batchSize: 16,
      validationSplit: 0.3,
    });
  });

  test('accepts validationData and classWeight', async () => {
    const { x, y } = examples(20);
    await expectSameFit(() => perceptron('adam'), examples(32), {
      epochs: 2,
      validationData: [x, y],
      classWeight: { 0: 1, 1: 3 },
      initialEpoch: 1,
    });
  });

  test('a sample weight of 2 counts an example twice, with and without class weights', async () => {
    const { x, y } = examples(6);
    const sampleWeight = tf.tensor1d([2, 0, 1, 1, 2, 0]);
    const chosen = tf.tensor1d([0, 0, 2, 3, 4, 4], 'int32');
    const [weighted, doubled] = [perceptron(), perceptron()];
    const args = { epochs: 3, batchSize: 6, verbose: 0, shuffle: false };
    await accelerate(weighted).fit(x, y, { ...args, sampleWeight });
    await doubled.fit(tf.gather(x, chosen), tf.gather(y, chosen), args);
    expectSameWeights(weighted, doubled);

    const classWeight = { 0: 0.5, 1: 2 };
    await accelerate(weighted).fit(x, y, { ...args, sampleWeight, classWeight });
    await doubled.fit(tf.gather(x, chosen), tf.gather(y, chosen), { ...args, classWeight });
    expectSameWeights(weighted, doubled);
  });

  test('trains several inputs and outputs, each output with its own loss and metrics', async () => {
    const make = (): tfl.LayersModel => {
      const [a, b] = [tfl.input({ shape: [3], name: 'a' }), tfl.input({ shape: [3], name: 'b' })];
      const both = layers.concatenate().apply([a, b]) as tfl.SymbolicTensor;
      const hidden = layers.dense({ units: 4, activation: 'tanh' }).apply(both);
      const model = tfl.model({
        inputs: [a, b],
        outputs: [
          layers.dense({ units: 2, activation: 'softmax', name: 'kind' }).apply(hidden),
          layers.dense({ units: 1, name: 'size' }).apply(hidden),
        ] as tfl.SymbolicTensor[],
      });
      model.compile({
        optimizer: 'rmsprop',
        loss: { kind: 'categoricalCrossentropy', size: 'meanSquaredError' },
        metrics: { kind: 'accuracy', size: 'mae' },
      });
      return model;
    };
    const { x, y } = examples(24);
    const size = tf.sum(x, 1, true);
    await expectSameFit(
      make,
      { x: [x, tf.mul(x, -1)], y: [y, size] },
      {
        epochs: 2,
        batchSize: 8,
        validationSplit: 0.25,
      },
    );
  });

  test.each(['accuracy', 'binaryAccuracy'])(
    'trains and evaluates outputs of one unit with the metric %s',
    async (metric) => {
      const { x, y } = examples(24);
      const isAbove = tf.slice(y, [0, 1], [-1, 1]);
      const sigmoid = { units: 1, activation: 'sigmoid' } as const;
      const single = (): tfl.LayersModel => {
        const model = tfl.sequential({ layers: [layers.dense({ ...sigmoid, inputShape: [3] })] });
        model.compile({ optimizer: 'adam', loss: 'binaryCrossentropy', metrics: [metric] });
        return model;
      };
      const args = { epochs: 2, batchSize: 8, validationSplit: 0.25 };
      const { plain, fast } = await expectSameFit(single, { x, y: isAbove }, args);
      const expected = plain.evaluate(x, isAbove) as tf.Scalar[];
      const found = (await accelerate(fast).evaluate(x, isAbove)) as tf.Scalar[];
      for (const [index, value] of found.entries()) {
        expect(value.dataSync()[0]).toBeCloseTo(expected[index].dataSync()[0], 5);
      }

      const double = (): tfl.LayersModel => {
        const input = tfl.input({ shape: [3] });
        const outputs = ['above', 'below'].map((name) =>
          layers.dense({ ...sigmoid, name }).apply(input),
        );
        const model = tfl.model({ inputs: input, outputs: outputs as tfl.SymbolicTensor[] });
        model.compile({ optimizer: 'sgd', loss: 'binaryCrossentropy', metrics: [metric] });
        return model;
      };
      await expectSameFit(double, { x, y: [isAbove, tf.sub(1, isAbove)] }, args);
    },
  );

  test('callbacks run in TF.js order with TF.js logs, and can stop training', async () => {
    const calls = async (isFast: boolean): Promise<string[]> => {
      const model = perceptron();
      const { x, y } = examples(20);
      const seen: string[] = [];
      const note =
        (name: string) =>
        (index?: unknown, logs?: unknown): void => {
          seen.push(`${name} ${String(index)} ${Object.keys(logs ?? {}).join()}`);
          if (name === 'batchEnd' && seen.length > 12) model.stopTraining = true;
        };
      const args: AcceleratedFitArgs = {
        epochs: 4,
        batchSize: 8,
        verbose: 0,
        shuffle: false,
        validationSplit: 0.2,
        callbacks: {
          onTrainBegin: note('trainBegin'),
          onEpochBegin: note('epochBegin'),
          onBatchBegin: note('batchBegin'),
          onBatchEnd: note('batchEnd'),
          onEpochEnd: note('epochEnd'),
          onTrainEnd: note('trainEnd'),
        },
      };
      await (isFast ? accelerate(model).fit(x, y, args) : model.fit(x, y, args as never));
      return seen;
    };
    const found = await calls(true);
    expect(found).toEqual(await calls(false));
    expect(found.at(-1)).toMatch(/^trainEnd/);
    expect(found.filter((call) => call.startsWith('epochBegin'))).toHaveLength(3);
  });

  test('early stopping works, and the model holds the current weights after each epoch', async () => {
    const model = perceptron();
    const { x, y } = examples(20);
    const seen: number[] = [];
    const history = await accelerate(model).fit(x, y, {
      epochs: 20,
      verbose: 0,
      callbacks: [
        tfl.callbacks.earlyStopping({ monitor: 'loss', minDelta: 10, patience: 1 }),
        new (class extends tfl.Callback {
          override onEpochEnd(): Promise<void> {
            seen.push(model.getWeights()[0].dataSync()[0]);
            return Promise.resolve();
          }
        })(),
      ],
    });
    expect(history.epoch).toEqual([0, 1]);
    expect(new Set(seen).size).toBe(2);
  });

  test('a callback may change the learning rate', async () => {
    const make = (): tfl.LayersModel => perceptron(tf.train.adam(0.1));
    const lowered = (model: tfl.LayersModel) => ({
      onEpochEnd: (epoch: number) => {
        Object.assign(model.optimizer, { learningRate: 0.1 / (epoch + 2) });
      },
    });
    const [plain, fast] = [make(), make()];
    const { x, y } = examples(16);
    const args = { epochs: 4, verbose: 0, shuffle: false };
    await plain.fit(x, y, { ...args, callbacks: lowered(plain) });
    const constant = make();
    await constant.fit(x, y, args);
    await accelerate(fast).fit(x, y, { ...args, callbacks: lowered(fast) });
    expectSameWeights(fast, plain);
    expect(() => expectSameWeights(fast, constant)).toThrow(/less than/);
  });

  test.each(['sgd', 'adam', 'rmsprop', 'adamax', 'adagrad', 'adadelta'])(
    'TF.js resumes from the state of %s, and vice versa',
    async (optimizer) => {
      const [plain, mixed] = [perceptron(optimizer), perceptron(optimizer)];
      const { x, y } = examples(16);
      const args = { epochs: 2, batchSize: 8, verbose: 0, shuffle: false };
      const fast = accelerate(mixed);
      for (const part of [1, 2, 3]) {
        await plain.fit(x, y, args);
        await (part === 2 ? mixed : fast).fit(x, y, args);
      }
      expectSameWeights(mixed, plain);
      expect(mixed.optimizer.iterations).toBe(plain.optimizer.iterations);
    },
  );

  test('picks up weights assigned between two calls', async () => {
    const { x, y } = examples(16);
    const model = perceptron();
    const fast = accelerate(model);
    const args = { epochs: 1, verbose: 0, shuffle: false };
    const before = model.getWeights().map((weight) => weight.clone());
    await fast.fit(x, y, args);
    const once = weightsOf(model);
    model.setWeights(before);
    await fast.fit(x, y, args);
    expect(weightsOf(model)).toEqual(once);
  });

  test('leaves frozen layers unchanged, and supports recompiling the model', async () => {
    const { x, y } = examples(16);
    const model = perceptron();
    const fast = accelerate(model);
    await fast.fit(x, y, { epochs: 1, verbose: 0 });
    model.layers[0].trainable = false;
    model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    const kernels = (): number[][] =>
      model.layers.map((layer) => [...layer.getWeights()[0].dataSync()]);
    const before = kernels();
    const history = await fast.fit(x, y, { epochs: 1, verbose: 0 });
    const after = kernels();
    expect(after[0]).toEqual(before[0]);
    expect(after[1]).not.toEqual(before[1]);
    expect(Object.keys(history.history)).toEqual(['loss']);
  });

  test('updates the statistics of a frozen batch norm and leaves penalties out of val_loss, as TF.js does', async () => {
    const make = (): tfl.LayersModel => {
      const kernelRegularizer = tfl.regularizers.l2({ l2: 0.3 });
      const kernelInitializer = tfl.initializers.glorotUniform({ seed: 1 });
      const model = tfl.sequential({
        layers: [
          layers.batchNormalization({ inputShape: [3], momentum: 0.5 }),
          layers.dense({ units: 2, kernelRegularizer, kernelInitializer }),
        ],
      });
      model.layers[0].trainable = false;
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      return model;
    };
    const { x, y } = examples(16);
    await expectSameFit(make, { x, y }, { epochs: 2, validationData: [x, y] });
    const model = make();
    const still = model.layers[0].getWeights().map((weight) => [...weight.dataSync()]);
    const { history } = await accelerate(model).fit(x, y, {
      epochs: 1,
      verbose: 0,
      validationData: [x, y],
    });
    const moved = model.layers[0].getWeights().map((weight) => [...weight.dataSync()]);
    expect(moved.slice(0, 2)).toEqual(still.slice(0, 2));
    expect(moved[2]).not.toEqual(still[2]);
    const [dense] = model.layers[1].getWeights();
    const penalty = 0.3 * dense.square().sum().dataSync()[0];
    expect(penalty).toBeGreaterThan(0.1);
    expect(history['val_loss'][0]).toBeCloseTo(
      tf.losses.meanSquaredError(y, model.predict(x) as tf.Tensor).dataSync()[0],
      5,
    );
  });

  test('leaks no tensors', async () => {
    const { x, y } = examples(20);
    const model = perceptron('adam');
    const fast = accelerate(model);
    const args = { epochs: 2, batchSize: 8, verbose: 0, validationSplit: 0.2 };
    await fast.fit(x, y, args);
    const before = tf.memory().numTensors;
    await fast.fit(x, y, args);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('makes one recording per batch shape', async () => {
    const { x, y } = examples(20);
    const fast = accelerate(perceptron());
    await fast.fit(x, y, { epochs: 3, batchSize: 8, verbose: 0 });
    expect(fast.recordings.map(({ name }) => name)).toEqual([
      'train Float32[8,3] Float32[8,2] -',
      'train Float32[4,3] Float32[4,2] -',
    ]);
    fast.dispose();
    expect(fast.recordings).toEqual([]);
  });
});
