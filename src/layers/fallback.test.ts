import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { batches, stream } from '../../test/layers/batches';
import { peeking } from '../../test/layers/peeking';
import {
  examples,
  expectSameHistory,
  expectSameWeights,
  perceptron,
} from '../../test/layers/perceptron';
import { CaptureError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { AccelerateOptions } from './accelerate';

beforeAll(() => {
  loadTensorflow();
});

describe('fallback', () => {
  test('fitDataset calls each callback once and trains on the first batch, also of a stream', async () => {
    const seen: string[][] = [];
    const [plain, fast] = [peeking(), peeking()];
    const histories = [];
    for (const trainer of [plain, accelerate(fast, { fallback: true })]) {
      const events: string[] = [];
      seen.push(events);
      const dataset = stream(batches(examples(24), 4));
      const args: object = {
        epochs: 2,
        batchesPerEpoch: 3,
        verbose: 0,
        validationData: batches(examples(8), 4),
        callbacks: {
          onTrainBegin: () => void events.push('train'),
          onEpochBegin: (epoch: number) => void events.push(`epoch ${epoch}`),
          onBatchBegin: (batch: number) => void events.push(`batch ${batch}`),
        },
      };
      histories.push(await trainer.fitDataset(dataset as never, args as never));
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[1].filter((event) => event === 'train')).toHaveLength(1);
    expectSameHistory(histories[1], histories[0]);
    expectSameWeights(fast, plain);
  });

  test('a model whose training was refused is recorded once it is compiled with something that can be', async () => {
    const { x, y } = examples(8);
    class Own extends tf.SGDOptimizer {}
    const model = perceptron(new Own(0.1));
    const fast = accelerate(model, { fallback: true });
    const fit = async (): Promise<number> => {
      await fast.fit(x, y, { epochs: 1, verbose: 0 });
      return fast.recordings.length;
    };
    expect([await fit(), await fit()]).toEqual([0, 0]);
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    expect(await fit()).toBeGreaterThan(0);
    fast.dispose();
  });

  test('evaluateDataset loses no batch of an iterator', async () => {
    const data = examples(12);
    const model = peeking();
    const expected = (await model.evaluateDataset(batches(data, 4) as never, {})) as tf.Scalar;
    const iterator = await batches(data, 4).iterator();
    const found = (await accelerate(model, { fallback: true }).evaluateDataset(
      iterator as never,
    )) as tf.Scalar;
    expect(found.dataSync()[0]).toBeCloseTo(expected.dataSync()[0], 5);
  });

  test('an error after the start of training does not train again', async () => {
    const { x, y } = examples(8);
    let begun = 0;
    const model = peeking();
    model.pop();
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const callbacks = {
      onTrainBegin: () => {
        begun += 1;
      },
      onEpochEnd: () => {
        throw new CaptureError('a capture in a callback fails');
      },
    };
    const training = accelerate(model, { fallback: true }).fit(x, y, { verbose: 0, callbacks });
    await expect(training).rejects.toThrow('a capture in a callback fails');
    expect(begun).toBe(1);
  });

  test.each<AccelerateOptions>([{ weightDecay: 0.1 }, { enforceConstraints: true }])(
    'refuses %o, which TF.js would ignore',
    async (option) => {
      const { x, y } = examples(8);
      const fast = accelerate(peeking('nonNeg'), { fallback: true, ...option });
      for (const attempt of [
        () => fast.fit(x, y, { verbose: 0 }),
        () => fast.fitDataset(batches({ x, y }, 4), { epochs: 1, verbose: 0 }),
        () => fast.trainOnBatch(x, y),
      ]) {
        await expect(attempt()).rejects.toThrow(TrainError);
        await expect(attempt()).rejects.toThrow(
          `TF.js does not support ${Object.keys(option)[0]}. Leave it out`,
        );
      }
    },
  );

  test('disposes a batch that was read ahead for nothing', async () => {
    const { x, y } = examples(8);
    const [xs, ys] = [x.clone(), y.clone()];
    const next = (): Promise<{ done: boolean; value: unknown }> =>
      Promise.resolve({ done: false, value: { xs, ys } });
    const fast = accelerate(peeking(), { fallback: true, weightDecay: 0.1 });
    const dataset = { iterator: () => Promise.resolve({ next }) };
    await expect(fast.fitDataset(dataset, { epochs: 1, verbose: 0 })).rejects.toThrow(TrainError);
    expect([xs.isDisposed, ys.isDisposed]).toEqual([true, true]);
  });

  test('accepts enforceConstraints for a model without constraints', async () => {
    const { x, y } = examples(8);
    const fast = accelerate(peeking(), { fallback: true, enforceConstraints: true });
    const history = await fast.fit(x, y, { verbose: 0 });
    expect(history.history['loss']).toHaveLength(1);
  });
});
