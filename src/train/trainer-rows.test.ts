import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { InterruptedError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import type { Progress, Training, UsualSteps, Watch } from './training';
import type { FoldStep } from './steps';
import { apart, run, training, using } from '../../test/small-training';

beforeAll(() => {
  loadTensorflow();
});

describe('rows', () => {
  test('hold means over examples, whatever the size of the last batch', async () => {
    const changes: Partial<Training> = {
      model: apart,
      valid: training.train,
      transforms: [],
      pad: 0,
      lr: { knots: [0], vals: [0] },
    };
    const { rows } = await run({ ...changes, batchSize: 4 }, [1]);
    const [[, , trainLoss, trainAcc, validLoss, validAcc]] = rows;
    // The learning rate is 0, so both phases evaluate the same network.
    expect(trainLoss).toBeCloseTo(validLoss, 6);
    expect(trainAcc).toBeCloseTo(validAcc, 6);
    const [[, , atOnce]] = (await run({ ...changes, batchSize: 10 }, [1])).rows;
    expect(trainLoss).toBeCloseTo(atOnce, 6);
  });

  test('dropLast drops the last, smaller batch of training, never of validation', async () => {
    for (const [dropLast, steps, seen] of [
      [true, 2, 8],
      [false, 3, 10],
    ] as const) {
      const progress: Progress[] = [];
      let now = 0;
      const watch = { clock: () => ++now, onProgress: (one: Progress) => void progress.push(one) };
      await using({ dropLast }, watch, async (trainer) => {
        expect(trainer.stepsPerEpoch).toBe(steps);
        await trainer.runEpoch(1);
      });
      const totals = progress.map(({ phase, total }) => `${phase} ${total}`);
      expect(new Set(totals)).toEqual(new Set([`train ${seen}`, 'valid 6']));
    }
  });

  test('total time counts training only, neither validation nor the time between epochs', async () => {
    let now = 0;
    const watch = { clock: () => (now += 1) };
    await using({}, watch, async (trainer) => {
      now += 1000;
      const first = await trainer.runEpoch(1);
      now += 1000;
      const second = await trainer.runEpoch(2);
      expect(first.valid.time).toBeGreaterThan(0);
      expect(first.train.time).toBeGreaterThan(3);
      expect(first.train.time).toBeLessThan(100);
      expect(first['total time']).toBe(first.train.time);
      expect(second['total time']).toBe(first.train.time + second.train.time);
    });
  });

  test('an evaluation between epochs is not counted', async () => {
    let now = 0;
    await using({}, { clock: () => (now += 1) }, async (trainer) => {
      const first = await trainer.runEpoch(1);
      expect((await trainer.evaluate()).time).toBeGreaterThan(0);
      const second = await trainer.runEpoch(2);
      expect(second['total time']).toBe(first.train.time + second.train.time);
    });
  });

  test('the learning rate is that at the end of the epoch', async () => {
    const { rows } = await run({}, [1, 2]);
    expect(rows.map(([epoch, lr]) => [epoch, lr])).toEqual([
      [1, 0.4],
      [2, 0.25],
    ]);
  });
});

describe('watching', () => {
  test('reports progress once per second of the clock, in order', async () => {
    const seen: Progress[] = [];
    let now = 0;
    const watch = { clock: () => ++now, onProgress: (one: Progress) => void seen.push(one) };
    const row = await using({}, watch, (trainer) => trainer.runEpoch(2));
    expect(
      seen.map(({ phase, epoch, epochs, done, total }) => [phase, epoch, epochs, done, total]),
    ).toEqual([
      ['train', 2, 3, 4, 10],
      ['train', 2, 3, 8, 10],
      ['train', 2, 3, 10, 10],
      ['valid', 2, 3, 4, 6],
      ['valid', 2, 3, 6, 6],
    ]);
    expect(seen.map(({ timeSec }) => timeSec)).toEqual([1, 2, 3, 1, 2]);
    expect([seen[2].loss, seen[2].acc]).toEqual([row.train.loss, row.train.acc]);
    expect([seen[4].loss, seen[4].acc]).toEqual([row.valid.loss, row.valid.acc]);
  });

  test('reports nothing while less than a second passes', async () => {
    let calls = 0;
    const watch = { clock: () => 5, onProgress: () => void calls++ };
    await using({}, watch, (trainer) => trainer.runEpoch(1));
    expect(calls).toBe(0);
  });

  test('an abort stops after the current step and keeps its state', async () => {
    const controller = new AbortController();
    let now = 0;
    const watch: Watch = {
      clock: () => ++now,
      signal: controller.signal,
      onProgress: ({ done }) => done === 8 && controller.abort(),
    };
    await using({}, watch, async (trainer) => {
      const stopped = trainer.runEpoch(1);
      await expect(stopped).rejects.toThrow(InterruptedError);
      await expect(stopped).rejects.toThrow(/stopped in epoch 1, before step 3 of 3 \(train\)/);
      const { totals, network } = await trainer.session.read('totals', 'network');
      expect(totals.count.data[0]).toBe(8);
      expect(network['linear/weight'].data).not.toContain(NaN);
      await expect(trainer.runEpoch(2)).rejects.toThrow(/epoch 2, before step 1 of 3/);
    });
  });

  test("a caller's own steps see each training step's work and can change it", async () => {
    let seen = 0;
    const clear: FoldStep = ({ network, gradients }) => {
      seen += Object.keys(gradients ?? {}).length;
      return { network: { ...network, 'linear/weight': tf.zerosLike(network['linear/weight']) } };
    };
    await using({ extraSteps: [clear] }, {}, async (trainer) => {
      await trainer.runEpoch(1);
      expect(seen).toBe(3 * 4);
      const { network } = await trainer.session.read('network');
      expect(new Set(network['linear/weight'].data)).toEqual(new Set([0]));
    });
  });
});

test("a caller's list replaces the usual steps", async () => {
  const inOrder = (usual: UsualSteps): FoldStep[] => [usual.backward, usual.log, usual.optimise];
  expect(await run({ trainSteps: inOrder })).toEqual(await run({}));
  const halve: FoldStep = ({ gradients = {} }) => ({
    gradients: Object.fromEntries(
      Object.entries(gradients).map(([path, gradient]) => [path, gradient.mul(0.5)]),
    ),
  });
  const halved = ({ backward, log, optimise }: UsualSteps): FoldStep[] => [
    backward,
    log,
    halve,
    optimise,
  ];
  const lr = { knots: [0, 1, 3], vals: [0, 0.2, 0.05] };
  const weightDecay = 0;
  expect((await run({ trainSteps: halved, weightDecay })).rows).toEqual(
    (await run({ lr, weightDecay })).rows.map(([epoch, rate, ...rest]) => [
      epoch,
      2 * rate,
      ...rest,
    ]),
  );
});
