import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { CaptureError, LayerError, OptimError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { BatchDataset } from './batch-dataset';
import type { FitDatasetArgs } from './fit-dataset';
import { batches } from '../../test/layers/batches';
import { peeking } from '../../test/layers/peeking';
import {
  perceptron,
  examples,
  weightsOf,
  expectSameWeights,
  expectSameHistory,
} from '../../test/layers/perceptron';

beforeAll(() => {
  loadTensorflow();
});

const { layers } = tfl;

describe('the other methods', () => {
  test('fitDataset trains, validates and stops as TF.js does', async () => {
    const { x, y } = examples(20);
    const dataset = (size: number): BatchDataset => batches({ x, y }, size);
    const [plain, fast] = [perceptron(), perceptron()];
    const args: object = {
      epochs: 2,
      verbose: 0,
      validationData: dataset(10),
      classWeight: { 0: 2, 1: 1 },
    };
    const expected = await plain.fitDataset(dataset(8) as never, args as never);
    const found = await accelerate(fast).fitDataset(dataset(8), args as FitDatasetArgs);
    expectSameHistory(found, expected);
    expectSameWeights(fast, plain);

    const some = { epochs: 2, batchesPerEpoch: 1, verbose: 0, validationData: [x, y] as const };
    expectSameHistory(
      await accelerate(fast).fitDataset(dataset(8), some),
      await plain.fitDataset(dataset(8) as never, some as never),
    );
    const evaluated = await accelerate(fast).evaluateDataset(dataset(8));
    const direct = plain.evaluate(x, y) as tf.Scalar[];
    for (const [index, value] of (evaluated as tf.Scalar[]).entries()) {
      expect(value.dataSync()[0]).toBeCloseTo(direct[index].dataSync()[0], 5);
    }
  });

  test('evaluate, predict and trainOnBatch match TF.js', async () => {
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

  test('trainOnBatch and evaluate leak no tensors for inputs and targets of rank 1', async () => {
    const model = tfl.sequential({ layers: [layers.dense({ units: 1, inputShape: [1] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const fast = accelerate(model);
    const [x, y] = [tf.tensor1d([1, 2, 3]), tf.tensor1d([2, 4, 6])];
    await fast.trainOnBatch(x, y);
    tf.dispose(await fast.evaluate(x, y));
    const before = tf.memory().numTensors;
    for (let step = 0; step < 3; step++) await fast.trainOnBatch(x, y);
    tf.dispose(await fast.evaluate(x, y));
    expect(tf.memory().numTensors).toBe(before);
    expect([...x.dataSync()]).toEqual([1, 2, 3]);
  });

  test('predicts with an uncompiled model, and compiles it when given an optimizer and a loss', async () => {
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
  test('enforceConstraints keeps weights within their constraints, unlike TF.js', async () => {
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

  test.each([1024, 256])(
    'fp16 keeps gradients that the mean over a batch makes small',
    async (microBatch) => {
      const x = tf.ones([1024, 1]);
      const y = tf.mul(x, 1 + 1e-5);
      const change = async (precision: 'fp32' | 'fp16'): Promise<number> => {
        const dense = layers.dense({
          units: 1,
          inputShape: [1],
          useBias: false,
          kernelInitializer: 'ones',
        });
        const model = tfl.sequential({ layers: [dense] });
        model.compile({ optimizer: tf.train.sgd(1000), loss: 'meanSquaredError' });
        const fast = accelerate(model, { precision, microBatch });
        const loss = await fast.trainOnBatch(x, y);
        expect((loss as number) * 1e10).toBeCloseTo(1, 1);
        return weightsOf(model)[0][0] - 1;
      };
      // Of each example: 2e-5 / 1024, below the smallest number of fp16, 6e-8.
      const expected = await change('fp32');
      expect(expected).toBeCloseTo(0.02, 3);
      expect(await change('fp16')).toBeCloseTo(expected, 3);
    },
  );

  test('fused layers learn as well in bf16 as in fp32', async () => {
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
  test('rejects a non-model, an uncompiled model and data of the wrong shape', async () => {
    expect(() => accelerate({} as tfl.LayersModel)).toThrow(/not a tf.LayersModel/);
    const { x, y } = examples(4);
    const model = tfl.sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
    const fast = accelerate(model);
    const dataset = batches({ x, y }, 2);
    for (const attempt of [
      () => fast.fit(x, y, { verbose: 0 }),
      () => fast.fitDataset(dataset, { epochs: 1, verbose: 0 }),
      () => fast.evaluate(x, y),
      () => fast.evaluateDataset(dataset),
      () => fast.trainOnBatch(x, y),
    ]) {
      await expect(attempt()).rejects.toThrow(LayerError);
      await expect(attempt()).rejects.toThrow(
        /the model is not compiled, or got other layers since\. Call model\.compile\(\)/,
      );
    }
    await expect(accelerate(perceptron()).fit(y, y, { verbose: 0 })).rejects.toThrow(/shape/);
  });

  test('names a layer that cannot be recorded, and trains it eagerly with fallback', async () => {
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

  test('names a stateful recurrent layer', async () => {
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

describe('what would be ignored is refused', () => {
  test('an optimiser that extends one of tf.train, or has a method of its own; fallback trains it', async () => {
    const { x, y } = examples(8);
    class Still extends tf.SGDOptimizer {
      override applyGradients(): void {
        // Keeps the weights.
      }
    }
    const extended = perceptron(new Still(0.1));
    const patched = perceptron();
    patched.optimizer.applyGradients = () => undefined;
    for (const [model, message] of [
      [extended, /not TF\.js's "SGD" but a class that extends it/],
      [patched, /not TF\.js's "SGD" but one with its own applyGradients\(\)/],
    ] as const) {
      const fit = (fallback: boolean): Promise<unknown> =>
        accelerate(model, { fallback }).fit(x, y, { epochs: 1, verbose: 0 });
      await expect(fit(false)).rejects.toThrow(message);
      await expect(fit(false)).rejects.toThrow(OptimError);
      const before = weightsOf(model);
      await fit(true);
      expect(weightsOf(model)).toEqual(before);
    }
  });

  test('an unknown precision', () => {
    for (const precision of ['float32', 'FP32', '']) {
      expect(() => accelerate(perceptron(), { precision: precision as never })).toThrow(
        `accelerate: precision must be fp32, bf16, fp16 or best; got "${precision}".`,
      );
    }
  });

  test('a sequential model that has got a layer since it was compiled', async () => {
    const { x, y } = examples(8);
    const model = perceptron();
    const fast = accelerate(model);
    await fast.fit(x, y, { epochs: 1, verbose: 0 });
    model.add(layers.dropout({ rate: 0.5 }));
    await expect(fast.fit(x, y, { epochs: 1, verbose: 0 })).rejects.toThrow(LayerError);
    await expect(fast.evaluate(x, y)).rejects.toThrow(/got other layers since/);
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    await fast.fit(x, y, { epochs: 1, verbose: 0 });
  });

  test('a validationSplit of a data set', async () => {
    const data = batches(examples(8), 4);
    const args = { epochs: 1, verbose: 0, validationSplit: 0.5 };
    await expect(accelerate(perceptron()).fitDataset(data, args as never)).rejects.toThrow(
      'fitDataset: validationSplit is only for fit. Pass validationData.',
    );
  });

  test('steps of evaluate, and a prediction of nothing', async () => {
    const { x, y } = examples(8);
    const fast = accelerate(perceptron());
    await expect(fast.evaluate(x, y, { steps: 1 })).rejects.toThrow(/steps are not supported/);
    await expect(fast.evaluate(x, y, { steps: null as never })).resolves.toBeDefined();
    await expect(fast.predict(tf.zeros([0, 3]))).rejects.toThrow(
      'predict: the input has 0 examples',
    );
  });
});

test('predict takes inputs by name', async () => {
  const inputs = ['a', 'b'].map((name) => tfl.input({ shape: [1], name }));
  const sum = layers.add().apply(inputs) as tfl.SymbolicTensor;
  const fast = accelerate(tfl.model({ inputs, outputs: sum }));
  const [a, b] = [tf.tensor2d([[1]]), tf.tensor2d([[2]])];
  expect(((await fast.predict({ b, a })) as tf.Tensor).dataSync()[0]).toBe(3);
  await expect(fast.predict({ a })).rejects.toThrow(
    'predict: there is no tensor for the input "b"; got a.',
  );
});

test('validationSteps without validation data trains without validation, as in TF.js', async () => {
  const { x, y } = examples(8);
  const args = { epochs: 1, verbose: 0, validationSteps: 2 };
  const { history } = await accelerate(perceptron()).fit(x, y, args);
  expect(Object.keys(history)).toEqual(['loss', 'acc']);
});
