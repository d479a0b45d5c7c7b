import * as tf from '@tensorflow/tfjs-core';
import * as tfd from '@tensorflow/tfjs-data';
import * as tfl from '@tensorflow/tfjs-layers';
import { describe, expect, test } from 'vitest';
import { batches, stream } from '../../test/layers/batches';
import {
  examples,
  expectSameHistory,
  expectSameWeights,
  perceptron,
} from '../../test/layers/perceptron';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { BatchDataset } from './batch-dataset';

loadTensorflow();

const { layers } = tfl;

/** Trains one model with TF.js and one with `accelerate`; expects the same history and weights. */
async function expectSameFit(
  make: () => tfl.LayersModel,
  dataset: () => BatchDataset,
  args: (model: tfl.LayersModel) => object,
): Promise<{ readonly found: tfl.History; readonly expected: tfl.History }> {
  const [plain, fast] = [make(), make()];
  const expected = await plain.fitDataset(
    dataset() as never,
    { verbose: 0, ...args(plain) } as never,
  );
  const found = await accelerate(fast).fitDataset(dataset(), {
    verbose: 0,
    ...args(fast),
  } as never);
  expectSameHistory(found, expected);
  expectSameWeights(fast, plain);
  return { found, expected };
}

describe('fitDataset', () => {
  test('takes null for an absent argument, as TF.js does', async () => {
    const epochs: unknown[] = [];
    await expectSameFit(
      () => perceptron(),
      () => batches(examples(20), 8),
      () => ({
        epochs: 2,
        batchesPerEpoch: null,
        initialEpoch: null,
        validationData: null,
        validationBatches: null,
        classWeight: null,
        callbacks: { onEpochBegin: (epoch: unknown) => void epochs.push(epoch) },
      }),
    );
    expect(epochs).toEqual([0, 1, 0, 1]);
  });

  test.each([
    ['stopped in the last batch of an epoch', 2, 1, 1],
    ['stopped before the last batch of an epoch', 2, 0, 0],
    ['stopped in the last batch of the data set', undefined, 2, 0],
    ['that lacks batches', 4, Infinity, 0],
  ])('%s validates as TF.js does', async (_name, batchesPerEpoch, last, validations) => {
    const { found } = await expectSameFit(
      () => perceptron(),
      () => batches(examples(20), 8),
      (model) => ({
        epochs: 3,
        batchesPerEpoch,
        validationData: batches(examples(10), 5),
        callbacks: {
          onBatchEnd: (batch: number) => {
            if (batch === last) model.stopTraining = true;
          },
          onEpochEnd: (epoch: number) => {
            if (epoch === 0) model.stopTraining = true;
          },
        },
      }),
    );
    expect(found.history['val_loss'] ?? []).toHaveLength(validations);
  });

  test('reads a stream from its first batch, and a shuffled data set in the order of TF.js', async () => {
    await expectSameFit(
      () => perceptron(),
      () => stream(batches(examples(32), 8)),
      () => ({ epochs: 2, batchesPerEpoch: 2 }),
    );
    const { x, y } = examples(20);
    const rows = tfd.array(
      [...Array(20).keys()].map((row) => ({
        xs: x.gather([row]).squeeze([0]),
        ys: y.gather([row]).squeeze([0]),
      })),
    );
    await expectSameFit(
      () => perceptron(),
      () => rows.shuffle(20, 'seed').batch(8) as unknown as BatchDataset,
      () => ({ epochs: 2 }),
    );
  });

  test('leaks no tensors', async () => {
    const fast = accelerate(perceptron());
    const data = examples(20);
    const args = { epochs: 2, verbose: 0, validationData: batches(data, 8) };
    await fast.fitDataset(batches(data, 8), args);
    const before = tf.memory().numTensors;
    await fast.fitDataset(batches(data, 8), args);
    tf.dispose(await fast.evaluateDataset(batches(data, 8)));
    await expect(
      fast.fitDataset(batches(data, 8), { ...args, classWeight: { 0: 1 } }),
    ).rejects.toThrow(/class 1, for which classWeight has no weight/);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe.each(['fit', 'fitDataset'] as const)('callbacks of %s', (method) => {
  const data = examples(24);

  /** Fits with TF.js or `accelerate`, in batches of 8 in the same order. */
  async function train(model: tfl.LayersModel, isFast: boolean, callbacks: object): Promise<void> {
    const trainer = (isFast ? accelerate(model) : model) as tfl.LayersModel;
    const args: object = { epochs: 3, verbose: 0, callbacks };
    await (method === 'fit'
      ? trainer.fit(data.x, data.y, { ...args, batchSize: 8, shuffle: false })
      : trainer.fitDataset(batches(data, 8) as never, args as never));
  }

  test.each(['onTrainBegin', 'onEpochBegin', 'onBatchBegin', 'onBatchEnd', 'onEpochEnd'])(
    'may assign weights in %s, with which training continues',
    async (event) => {
      const models = [perceptron(), perceptron()];
      for (const [index, model] of models.entries()) {
        const assigned = model.getWeights().map((weight) => tf.mul(weight, 0).add(5));
        await train(model, index === 1, {
          [event]: (count: unknown) => {
            if (typeof count !== 'number' || count === 1) model.setWeights(assigned);
          },
        });
      }
      expectSameWeights(models[1], models[0]);
    },
  );

  test('assign 5 at the start of each epoch: one step ends at 3, as in TF.js', async () => {
    const model = tfl.sequential({
      layers: [layers.dense({ units: 1, inputShape: [1], useBias: false })],
    });
    model.compile({ optimizer: tf.train.sgd(0.2), loss: 'meanSquaredError' });
    const [x, y] = [tf.ones([1, 1]), tf.zeros([1, 1])];
    const args = {
      epochs: 2,
      verbose: 0,
      callbacks: { onEpochBegin: () => model.setWeights([tf.tensor2d([[5]])]) },
    };
    const fast = accelerate(model);
    await (method === 'fit' ? fast.fit(x, y, args) : fast.fitDataset(batches({ x, y }, 1), args));
    expect(model.getWeights()[0].dataSync()[0]).toBeCloseTo(3, 5);
  });

  test('that throw leave the model and its optimiser as TF.js leaves them', async () => {
    const models = [perceptron('adam'), perceptron('adam')];
    for (const [index, model] of models.entries()) {
      let steps = 0;
      const failing = train(model, index === 1, {
        onBatchEnd: () => {
          steps += 1;
          if (steps === 5) throw new Error('the callback fails');
        },
      });
      await expect(failing).rejects.toThrow('the callback fails');
    }
    expectSameWeights(models[1], models[0]);
    expect(models[1].optimizer.iterations).toBe(models[0].optimizer.iterations);
    const further = { verbose: 0, shuffle: false };
    for (const model of models) await model.fit(data.x, data.y, further);
    expectSameWeights(models[1], models[0]);
  });
});
