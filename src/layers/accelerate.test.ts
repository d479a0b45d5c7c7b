import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { CaptureError, LayerError, OptimError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { AccelerateOptions, AcceleratedFitArgs } from './accelerate';
import type { FitDatasetArgs } from './fit-dataset';

beforeAll(() => {
  loadTensorflow();
});

const { layers } = tfl;

/** A network of two dense layers; the same weights in every call. */
function perceptron(optimizer: tf.Optimizer | string = tf.train.sgd(0.1)): tfl.Sequential {
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

function examples(count: number): { x: tf.Tensor2D; y: tf.Tensor2D } {
  const x = tf.randomNormal<tf.Rank.R2>([count, 3], 0, 1, 'float32', 3);
  const y = tf.tidy(() => tf.oneHot(tf.greater(tf.sum(x, 1), 0).toInt(), 2).toFloat());
  return { x, y: y as tf.Tensor2D };
}

function weightsOf(model: tfl.LayersModel): number[][] {
  return model.getWeights().map((weight) => [...weight.dataSync()]);
}

function expectSameWeights(one: tfl.LayersModel, other: tfl.LayersModel): void {
  const others = weightsOf(other);
  for (const [index, weight] of weightsOf(one).entries()) {
    for (const [place, value] of weight.entries()) {
      expect(Math.abs(value - others[index][place])).toBeLessThan(1e-5);
    }
  }
}

function expectSameHistory(one: tfl.History, other: tfl.History): void {
  expect(Object.keys(one.history)).toEqual(Object.keys(other.history));
  expect(one.epoch).toEqual(other.epoch);
  for (const [name, values] of Object.entries(one.history)) {
    for (const [epoch, value] of values.entries()) {
      expect(value).toBeCloseTo(other.history[name][epoch] as number, 5);
    }
  }
}

/** Runs with the same numbers of `Math.random` in each call. */
async function seeded<T>(action: () => Promise<T>): Promise<T> {
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

/** Fits one model by TF.js and one by recordings; both must end alike. */
async function expectSameFit(
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

describe('fit', () => {
  test('shuffles, validates a split and takes a smaller last batch as TF.js does', async () => {
    await expectSameFit(() => perceptron(), examples(50), {
      epochs: 3,
      batchSize: 16,
      validationSplit: 0.3,
    });
  });

  test('validates given data and weighs classes', async () => {
    const { x, y } = examples(20);
    await expectSameFit(() => perceptron('adam'), examples(32), {
      epochs: 2,
      validationData: [x, y],
      classWeight: { 0: 1, 1: 3 },
      initialEpoch: 1,
    });
  });

  test('a weight of 2 counts an example twice, with and without weights of classes', async () => {
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

  test('several inputs and outputs, each with a loss and metrics of its own', async () => {
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

  test('callbacks come in the order and with the logs of TF.js, and can stop the training', async () => {
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

  test('early stopping stops, and the model holds the weights of each epoch', async () => {
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
    'TF.js goes on with the state of %s, and the other way round',
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

  test('weights that are assigned between two calls are used', async () => {
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

  test('frozen layers stay as they are, and a model may be compiled again', async () => {
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

  test('leaves no tensors behind', async () => {
    const { x, y } = examples(20);
    const model = perceptron('adam');
    const fast = accelerate(model);
    const args = { epochs: 2, batchSize: 8, verbose: 0, validationSplit: 0.2 };
    await fast.fit(x, y, args);
    const before = tf.memory().numTensors;
    await fast.fit(x, y, args);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('one call a step: two recordings for an epoch of two shapes', async () => {
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

describe('the other methods', () => {
  test('fitDataset trains, validates and stops as TF.js does', async () => {
    const { x, y } = examples(20);
    const dataset = (size: number) => ({
      size: Math.ceil(20 / size),
      iterator: () => {
        let start = 0;
        return Promise.resolve({
          next: () => {
            const from = start;
            const length = Math.min(size, 20 - from);
            start += size;
            if (length <= 0) return Promise.resolve({ done: true, value: null });
            const [xs, ys] = [tf.slice(x, from, length), tf.slice(y, from, length)];
            return Promise.resolve({ done: false, value: { xs, ys } });
          },
        });
      },
    });
    const [plain, fast] = [perceptron(), perceptron()];
    const args: object = {
      epochs: 2,
      verbose: 0,
      validationData: dataset(10),
      classWeight: { 0: 2, 1: 1 },
    };
    const expected = await plain.fitDataset(dataset(8), args as never);
    const found = await accelerate(fast).fitDataset(dataset(8), args as FitDatasetArgs);
    expectSameHistory(found, expected);
    expectSameWeights(fast, plain);

    const some = { epochs: 2, batchesPerEpoch: 1, verbose: 0, validationData: [x, y] as const };
    expectSameHistory(
      await accelerate(fast).fitDataset(dataset(8), some),
      await plain.fitDataset(dataset(8), some as never),
    );
    const evaluated = await accelerate(fast).evaluateDataset(dataset(8));
    const direct = plain.evaluate(x, y) as tf.Scalar[];
    for (const [index, value] of (evaluated as tf.Scalar[]).entries()) {
      expect(value.dataSync()[0]).toBeCloseTo(direct[index].dataSync()[0], 5);
    }
  });

  test('evaluate, predict and trainOnBatch give what TF.js gives', async () => {
    const { x, y } = examples(21);
    const [plain, model] = [perceptron(), perceptron()];
    const fast = accelerate(model);
    for (let step = 0; step < 3; step++) {
      const expected = (await plain.trainOnBatch(x, y)) as number[];
      const found = (await fast.trainOnBatch(x, y)) as number[];
      for (const [index, value] of found.entries()) expect(value).toBeCloseTo(expected[index], 5);
    }
    expectSameWeights(model, plain);
    const evaluated = (await fast.evaluate(x, y, { batchSize: 8 })) as tf.Scalar[];
    const expected = plain.evaluate(x, y, { batchSize: 8 }) as tf.Scalar[];
    expect(evaluated.map((value) => value.shape)).toEqual(expected.map((value) => value.shape));
    for (const [index, value] of evaluated.entries()) {
      expect(value.dataSync()[0]).toBeCloseTo(expected[index].dataSync()[0], 5);
    }
    const outputs = (await fast.predict(x, { batchSize: 8 })) as tf.Tensor;
    expect(outputs.shape).toEqual([21, 2]);
    const difference = tf.max(tf.abs(tf.sub(outputs, plain.predict(x) as tf.Tensor)));
    expect(difference.dataSync()[0]).toBeLessThan(1e-5);
  });

  test('predicts with a model that is not compiled, and compiles one with its options', async () => {
    const { x, y } = examples(8);
    const model = tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
    const outputs = (await accelerate(model).predict(x)) as tf.Tensor;
    const expected = model.predict(x) as tf.Tensor;
    expect([...outputs.dataSync()].map((value) => value.toFixed(5))).toEqual(
      [...expected.dataSync()].map((value) => value.toFixed(5)),
    );
    const fast = accelerate(model, { optimizer: 'sgd', loss: 'meanSquaredError' });
    const history = await fast.fit(x, y, { epochs: 2, verbose: 0 });
    expect(history.history['loss']).toHaveLength(2);
  });
});

describe('options', () => {
  test('enforceConstraints holds weights in their bounds, which TF.js does not', async () => {
    const make = (): tfl.Sequential => {
      const model = tfl.sequential({
        layers: [
          layers.dense({
            units: 2,
            inputShape: [3],
            kernelConstraint: tfl.constraints.nonNeg(),
            kernelInitializer: 'ones',
          }),
        ],
      });
      model.compile({ optimizer: tf.train.sgd(1), loss: 'meanSquaredError' });
      return model;
    };
    const x = tf.ones([8, 3]);
    const y = tf.mul(tf.ones([8, 2]), -10);
    const args = { epochs: 3, verbose: 0 };
    const [plain, same, bounded] = [make(), make(), make()];
    await plain.fit(x, y, args);
    await accelerate(same).fit(x, y, args);
    await accelerate(bounded, { enforceConstraints: true }).fit(x, y, args);
    expectSameWeights(same, plain);
    expect(Math.min(...weightsOf(plain)[0])).toBeLessThan(0);
    expect(Math.min(...weightsOf(bounded)[0])).toBe(0);
  });

  test('bf16 computes in bf16 and keeps weights in float32', async () => {
    const { x, y } = examples(16);
    const fast = accelerate(perceptron(), { precision: 'bf16' });
    await fast.fit(x, y, { epochs: 1, batchSize: 16, verbose: 0 });
    const types = fast.recordings[0].nodes
      .filter(({ op }) => op.includes('MatMul'))
      .map(({ outputs }) => outputs[0].dtype);
    expect(new Set(types)).toEqual(new Set([14]));
    expect(fast.recordings[0].writes.every(({ value }) => value.dtype === 1)).toBe(true);
  });

  test('fused layers learn in bf16 as they do in fp32', async () => {
    const make = (): tfl.Sequential => {
      const glorot = tfl.initializers.glorotNormal({ seed: 5 });
      const model = tfl.sequential({
        layers: [
          layers.conv2d({
            filters: 8,
            kernelSize: 3,
            padding: 'same',
            activation: 'relu',
            inputShape: [8, 8, 3],
            kernelInitializer: glorot,
          }),
          layers.batchNormalization(),
          layers.reLU(),
          layers.maxPooling2d({ poolSize: 2 }),
          layers.flatten(),
          layers.dense({ units: 2, activation: 'softmax', kernelInitializer: glorot }),
        ],
      });
      model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy' });
      return model;
    };
    const x = tf.randomNormal([32, 8, 8, 3], 0, 1, 'float32', 6);
    const y = tf.tidy(() => tf.oneHot(tf.greater(tf.mean(x, [1, 2, 3]), 0).toInt(), 2).toFloat());
    const losses = async (precision: 'fp32' | 'bf16'): Promise<number[]> => {
      const fast = accelerate(make(), { precision });
      const history = await fast.fit(x, y, {
        epochs: 12,
        batchSize: 16,
        verbose: 0,
        shuffle: false,
      });
      const operations = fast.recordings[0].nodes.map(({ op }) => op);
      expect(operations.some((op) => op.includes('BatchNormGrad'))).toBe(true);
      return history.history['loss'] as number[];
    };
    const [full, low] = [await losses('fp32'), await losses('bf16')];
    expect(full.at(-1)).toBeLessThan(full[0] / 2);
    expect(Math.abs((low.at(-1) ?? 0) - (full.at(-1) ?? 0))).toBeLessThan(0.05 * full[0]);
  });

  test.each([
    [{ seed: 0.5 }, TrainError, /seed must be an integer below 2\^31; got 0.5/],
    [{ weightDecay: -1 }, OptimError, /weightDecay must be 0 or more; got -1/],
    [{ loss: 'meanSquaredError' }, LayerError, /without an optimizer/],
  ])('%o is an error', (options, type, message) => {
    expect(() => accelerate(perceptron(), options)).toThrow(type);
    expect(() => accelerate(perceptron(), options)).toThrow(message);
  });
});

describe('errors', () => {
  test('what is not a model, not compiled or not of TF.js says so', async () => {
    expect(() => accelerate({} as tfl.LayersModel)).toThrow(/not a tf.LayersModel/);
    const { x, y } = examples(4);
    const model = tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
    await expect(accelerate(model).fit(x, y, { verbose: 0 })).rejects.toThrow(/compile/);
    await expect(accelerate(perceptron()).fit(y, y, { verbose: 0 })).rejects.toThrow(/shape/);
  });

  /** A layer that reads its input. */
  class Peek extends layers.Layer {
    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      const x = Array.isArray(inputs) ? inputs[0] : inputs;
      return tf.mul(x, x.dataSync().length > 0 ? 1 : 0);
    }
    override computeOutputShape(shape: tfl.Shape): tfl.Shape {
      return shape;
    }
    static get className(): string {
      return 'Peek';
    }
    override getClassName(): string {
      return 'Peek';
    }
  }

  function peeking(): tfl.Sequential {
    const model = tfl.sequential({
      layers: [
        layers.dense({ units: 2, inputShape: [3], kernelInitializer: 'ones' }),
        new Peek({ name: 'peek' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    return model;
  }

  test('a layer that cannot be recorded is named, and trained eagerly with fallback', async () => {
    const { x, y } = examples(8);
    const args = { epochs: 2, verbose: 0, shuffle: false };
    await expect(accelerate(peeking()).fit(x, y, args)).rejects.toThrow(CaptureError);
    await expect(accelerate(peeking()).fit(x, y, args)).rejects.toThrow(
      /the layer "peek" \(Peek\) cannot be recorded: capture: dataSync\(\)/,
    );
    const [plain, fast] = [peeking(), peeking()];
    const expected = await plain.fit(x, y, args);
    const found = await accelerate(fast, { fallback: true }).fit(x, y, args);
    expectSameHistory(found, expected);
    expectSameWeights(fast, plain);
  });

  test('a stateful recurrent layer is named', async () => {
    const model = tfl.sequential({
      layers: [
        layers.lstm({ units: 2, stateful: true, batchInputShape: [4, 3, 2], name: 'memory' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const training = accelerate(model).fit(tf.ones([4, 3, 2]), tf.ones([4, 2]), {
      batchSize: 4,
      verbose: 0,
    });
    await expect(training).rejects.toThrow(/the layer "memory" \(LSTM\) is stateful/);
  });
});
