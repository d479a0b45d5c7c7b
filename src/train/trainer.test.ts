import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { epochBatches } from '../augment/epoch-order';
import { CaptureError, InterruptedError, TrainError } from '../base/errors';
import { filled } from '../base/host-tensor';
import { createRng } from '../base/rng';
import type { SessionMode } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import { flatten } from '../nn/combine';
import { linear } from '../nn/conv';
import { crossEntropyLoss } from '../nn/loss';
import type { AnyLayer } from '../nn/network';
import { maxPool } from '../nn/pool';
import { createTrainer } from './trainer';
import type { EpochRow, Examples, Snapshot, Training, Watch } from './training';
import type { FoldStep, Work } from './steps';
import { figures } from '../../test/epoch-row';
import { side, examples, apart, training, using, run, stopAfter } from '../../test/small-training';

beforeAll(() => {
  loadTensorflow();
});

const modes: readonly SessionMode[] = ['eager', 'captured'];

describe.each(modes)('%s', (mode) => {
  const engine = { mode };

  test('the same seed gives bit-identical results, another seed does not', async () => {
    const first = await run({ engine });
    expect(await run({ engine })).toEqual(first);
    expect((await run({ engine, seed: 2 })).rows[0]).not.toEqual(first.rows[0]);
    expect(first.rows[0][2]).toBeGreaterThan(0);
  });

  test('a run saved between epochs or within one resumes with bit-identical results and the same seconds', async () => {
    const changes = {
      engine,
      ema: { momentum: 0.5, updateFreq: 2 },
      extraState: { seen: { shape: [], data: new Float32Array(1) } },
      extraSteps: [
        ({ batch, extra }: Work) => ({ extra: { seen: extra['seen'].add(batch.target.sum()) } }),
      ],
    };
    /** Trains three epochs with one trainer per watch: after a warm-up, each resumes from the previous one's snapshot. */
    const inParts = async (...watches: Watch[]): Promise<unknown> => {
      const rows: EpochRow[] = [];
      const places: unknown[] = [];
      let saved: Snapshot | undefined;
      for (const watch of watches) {
        saved = await using(changes, watch, async (trainer) => {
          if (saved !== undefined) await trainer.restore(saved);
          await trainer.warmUp();
          try {
            while (rows.length < 3) rows.push(await trainer.runEpoch(rows.length + 1));
          } catch (error) {
            if (!(error instanceof InterruptedError)) throw error;
          }
          return trainer.save();
        });
        places.push([saved.epoch, saved.unfinished?.batches]);
      }
      expect(rows.map(({ train }) => train.time).reduce((sum, time) => sum + time)).toBe(
        saved?.totalSec,
      );
      expect(rows[2]['total time']).toBe(saved?.totalSec);
      return { rows: rows.map(figures), learnt: saved?.learnt, places };
    };
    const whole = (await inParts(stopAfter(Infinity))) as { readonly places: unknown };
    expect(whole.places).toEqual([[3, undefined]]);
    // Five batches per epoch, three of them for training.
    const between = [
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 3],
      [1, 0],
      [1, 1],
    ];
    for (const [index, place] of between.entries()) {
      const parts = await inParts(stopAfter(index + 1), stopAfter(Infinity));
      expect(parts).toEqual({ ...whole, places: [place, [3, undefined]] });
    }
    const thrice = await inParts(stopAfter(2), stopAfter(3), stopAfter(1), stopAfter(Infinity));
    expect(thrice).toMatchObject({
      ...whole,
      places: [
        [0, 2],
        [1, 0],
        [1, 1],
        [3, undefined],
      ],
    });
  });

  test('rejects a snapshot with a missing or an extra tensor', async () => {
    await using({ engine }, {}, async (trainer) => {
      const saved = await trainer.save();
      const { 'linear/weight': weight, ...rest } = saved.learnt.network;
      const learnt = { ...saved.learnt, network: rest };
      await expect(trainer.restore({ ...saved, learnt })).rejects.toThrow(
        /lacks "network\/linear\/weight"\. Restore a snapshot of the same training/,
      );
      const more = { ...saved.learnt, extra: { weight } };
      await expect(trainer.restore({ ...saved, learnt: more })).rejects.toThrow(/"extra\/weight"/);
      expect(await trainer.save()).toEqual(saved);
    });
  });

  test('a warm-up does not change the results', async () => {
    const warmed = await using({ engine }, {}, async (trainer) => {
      const { epochSec } = await trainer.warmUp();
      expect(epochSec).toBeGreaterThan(0);
      return figures(await trainer.runEpoch(1));
    });
    expect(warmed).toEqual((await run({ engine }, [1])).rows[0]);
  });

  test('the average is evaluated in place of the network', async () => {
    const ema = (momentum: number): Partial<Training> => ({
      engine,
      ema: { momentum, updateFreq: 1 },
    });
    const plain = await run({ engine });
    // Momentum 0 makes the average the current network; momentum 1 keeps the initial network.
    expect((await run(ema(0))).rows).toEqual(plain.rows);
    const kept = await run(ema(1));
    expect(kept.rows.map((row) => row.slice(0, 4))).toEqual(
      plain.rows.map((row) => row.slice(0, 4)),
    );
    expect(kept.rows[1].slice(4)).toEqual(kept.rows[0].slice(4));
    expect(kept.rows[1][4]).not.toBe(plain.rows[1][4]);
  });

  test("the caller's steps keep their own state from batch to batch", async () => {
    const remember: FoldStep = ({ extra, outcome, step }) => ({
      extra: {
        ...extra,
        steps: extra['steps'].add(1),
        last: step,
        worst: tf.maximum(extra['worst'], outcome?.loss.max() ?? 0),
      },
    });
    const extraState = { steps: filled([], 0), last: filled([], 0), worst: filled([], 0) };
    await using({ engine, extraSteps: [remember], extraState }, {}, async (trainer) => {
      await trainer.warmUp();
      const rows = [await trainer.runEpoch(1), await trainer.runEpoch(2)];
      const { extra } = await trainer.session.read('extra');
      // 10 examples in batches of 4, the last one smaller, are 3 steps per epoch; the warm-up's steps are not counted.
      expect([extra['steps'].data[0], extra['last'].data[0]]).toEqual([6, 6]);
      expect(extra['worst'].data[0]).toBeGreaterThan(
        Math.max(...rows.map(({ train }) => train.loss)),
      );
      trainer.session.write({ extra: extraState });
      expect((await trainer.session.read('extra')).extra['steps'].data[0]).toBe(0);
    });
    const { last, ...forgetful } = extraState;
    const undeclared = run({ engine, extraSteps: [remember], extraState: forgetful });
    await expect(undeclared).rejects.toThrow(CaptureError);
    await expect(undeclared).rejects.toThrow(/sets "extra\/last", which is not in the state/);
    expect(last.shape).toEqual([]);
  });

  test('evaluate with other options than the epochs does not change the network', async () => {
    const ema = { momentum: 0.5, updateFreq: 1 };
    const changes: Partial<Training> = { engine, ema, tta: true };
    await using(changes, {}, async (trainer) => {
      const row = await trainer.runEpoch(1);
      const before = await trainer.session.read('network', 'velocity', 'ema');
      const ways = [
        await trainer.evaluate({ usesEma: false, tta: false }),
        await trainer.evaluate({ usesEma: false }),
        await trainer.evaluate({ tta: false }),
        await trainer.evaluate(),
      ];
      expect(new Set(ways.map(({ loss }) => loss)).size).toBe(4);
      expect([ways[3].loss, ways[3].acc]).toEqual([row.valid.loss, row.valid.acc]);
      expect(await trainer.session.read('network', 'velocity', 'ema')).toEqual(before);
      const [plain] = (await run({ engine }, [1])).rows;
      expect([ways[0].loss, ways[0].acc]).toEqual(plain.slice(4));
      expect(figures(await trainer.runEpoch(2))).toEqual((await run(changes)).rows[1]);
    });
  });

  test('a NaN loss stops the epoch with an error that names the first such step', async () => {
    const train = examples(10, 1);
    const bad = 7;
    train.images[bad * side * side * 3] = NaN;
    for (const epoch of [1, 3]) {
      const order = epochBatches(10, {
        batchSize: 4,
        dropLast: false,
        rng: createRng(1, 'order', epoch),
      });
      const step = order.findIndex((batch) => batch.includes(bad)) + 1;
      const stopped = run({ engine, model: apart, train, transforms: [], pad: 0 }, [epoch]);
      await expect(stopped).rejects.toThrow(TrainError);
      await expect(stopped).rejects.toThrow(
        `train: the loss became NaN or infinite in epoch ${epoch}, step ${step}. Lower`,
      );
    }
  });
});

describe('NaN in a weight', () => {
  // On a CPU the max pooling after this layer turns NaN into -3.4e38, so loss and accuracy are finite.
  const bad = { shape: [4], data: Float32Array.of(0, NaN, 0, 0) };

  test('stops an evaluation with an error that names the weight', async () => {
    const trainer = createTrainer(training);
    const { network } = await trainer.session.read('network');
    trainer.session.write({ network: { ...network, 'norm/bias': bad } });
    await expect(trainer.evaluate()).rejects.toThrow(
      'train: after epoch 0 element 1 of "norm/bias" is NaN. Lower the learning rate',
    );
    trainer.dispose();
  });

  test('is rejected in a snapshot', async () => {
    const trainer = createTrainer(training);
    const saved = await trainer.save();
    const { network } = saved.learnt;
    const learnt = { ...saved.learnt, network: { ...network, 'norm/bias': bad } };
    await expect(trainer.restore({ ...saved, learnt })).rejects.toThrow(
      'train: in the snapshot element 1 of "network/norm/bias" is NaN.',
    );
    trainer.dispose();
  });
});

test('a network broken by its last step is distinguished from a bad training loss', async () => {
  const lr = { knots: [0], vals: [1e38] };
  const stopped = run({ model: apart, batchSize: 10, lr, transforms: [], pad: 0 }, [1]);
  await expect(stopped).rejects.toThrow(TrainError);
  await expect(stopped).rejects.toThrow(
    /the test loss after epoch 1 is NaN or infinite, while the training loss is finite/,
  );
});

test('options have the documented defaults', async () => {
  const rng = createRng(1, 'large');
  const large = (count: number): Examples => ({
    images: rng.fillUniform(new Float32Array(count * 32 * 32 * 3), -1, 1),
    labels: new Uint8Array(count),
  });
  const bare: Training = {
    model: {
      graph: build<AnyLayer>({ pool: maxPool(32), flatten: flatten(), linear: linear(3, 10) }),
      loss: build(crossEntropyLoss()),
    },
    train: large(5),
    valid: large(3),
    batchSize: 2,
    epochs: 1,
    lr: { knots: [0], vals: [0.1] },
    momentum: 0.9,
    weightDecay: 0,
    optimiser: { rule: 'nesterov-b', groups: [] },
    seed: 1,
    engine: { mode: 'eager' },
  };
  const spelt: Training = {
    ...bare,
    imageShape: [32, 32, 3],
    transforms: [],
    pad: 0,
    scheme: 'per-example',
    maxOptions: 200,
    dropLast: true,
    tta: false,
    extraSteps: [],
    extraState: {},
  };
  const rows = [];
  for (const one of [bare, spelt]) {
    const trainer = createTrainer(one);
    expect(trainer.stepsPerEpoch).toBe(2);
    rows.push(figures(await trainer.runEpoch(1)));
    trainer.dispose();
  }
  expect(rows[0]).toEqual(rows[1]);
});

test('the operations of a run count the smaller last batch of each epoch', async () => {
  // One matrix product forward, one for the gradient of the weight.
  const perImage = 2 * (2 * side * side * 3 * 3);
  const engine = { mode: 'captured', precision: 'fp32' } as const;
  // Ten images in batches of 4, 4 and 2; then in a run that ends before its second small batch.
  for (const [epochs, images] of [
    [3, 30],
    [1.5, 10 + 8],
  ]) {
    await using({ model: apart, engine, epochs }, {}, (trainer) => {
      expect(trainer.flops().train).toBe(images * perImage);
      return Promise.resolve();
    });
  }
});

describe('createTrainer rejects', () => {
  test.each([
    [[0, 3], 'label 1 of "train" is 3; the classes of this network count from 0 to 2. Renumber'],
    [[-1, 0], 'label 0 of "train" is -1; the classes of this network count from 0 to 2. Renumber'],
    [[0, 0.5], 'label 1 of "train" is 0.5; the classes'],
  ])('labels %j, which are no classes of its network', (labels, found) => {
    const train = { images: new Float32Array(2 * 192), labels };
    expect(() => createTrainer({ ...training, train })).toThrow(found);
  });

  test('a batch larger than the data, before anything is put on the device', () => {
    const open = (): unknown => createTrainer({ ...training, batchSize: 11, dropLast: true });
    expect(open).toThrow(/10 examples in batches of 11/);
  });

  test.each([
    [
      'train',
      { images: new Float32Array(2 * 192), labels: [0, 1, 2] },
      '3 labels and 384 pixel values',
    ],
    ['valid', { images: new Float32Array(0), labels: [] }, '0 labels and 0 pixel values'],
  ] as const)('images and labels in "%s" that do not match', (name, split, found) => {
    expect(() => createTrainer({ ...training, [name]: split })).toThrow(
      new TrainError(
        `train: "${name}" has ${found}; expected at least one label, and 192 values, [8,8,3], for each. ` +
          'Give images and labels of the same examples, or another imageShape.',
      ),
    );
  });

  test('evaluating an average that is not kept', async () => {
    await using({}, {}, async (trainer) => {
      await expect(trainer.evaluate({ usesEma: true })).rejects.toThrow(
        new TrainError(
          'train: cannot evaluate averaged weights: the training has no "ema". Set "ema".',
        ),
      );
    });
  });
});

test('rejects an epoch beyond the run', async () => {
  await using({}, {}, async (trainer) => {
    for (const epoch of [0, trainer.epochs + 1]) {
      await expect(trainer.runEpoch(epoch)).rejects.toThrow(
        new TrainError(
          `train: there is no epoch ${epoch}: the run ends after ${trainer.epochs}. Give the training more epochs.`,
        ),
      );
    }
    await trainer.runEpoch(trainer.epochs);
  });
});

test('a disposed trainer leaks no tensor', async () => {
  const before = tf.memory().numTensors;
  await run({ ema: { momentum: 0.9, updateFreq: 2 }, tta: true });
  expect(tf.memory().numTensors).toBe(before);
});
