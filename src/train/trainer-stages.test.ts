import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { figures } from '../../test/epoch-row';
import { lend, stopAfter } from '../../test/small-training';
import { crop } from '../augment/crop';
import { flipLR } from '../augment/flip';
import { InterruptedError, TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import { gelu } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { labelSmoothingLoss } from '../nn/loss';
import type { AnyLayer } from '../nn/network';
import { globalMaxPool, maxPool } from '../nn/pool';
import type { Optimiser } from '../optim/optimiser';
import { createTrainer } from './trainer';
import type { EpochRow, Examples, Snapshot, Trainer, Training, Watch } from './training';
import type { FoldStep, Work } from './steps';

beforeAll(() => {
  loadTensorflow();
});

const side = 10;

function examples(count: number, seed: number): Examples {
  const rng = createRng(seed, 'examples');
  const images = rng.fillUniform(new Float32Array(count * side * side * 3), -1, 1);
  return { images, labels: Array.from({ length: count }, () => rng.integer(3)) };
}

const optimiser: Optimiser = {
  rule: 'nesterov-a',
  groups: [
    { includes: 'whiten', lrFactor: 1, weightDecayFactor: 1, epochs: 0.5 },
    { includes: 'norm', lrFactor: 2, weightDecayFactor: 0.5 },
    {
      includes: 'block',
      rule: 'muon',
      lrFactor: 1,
      weightDecayFactor: 1,
      lr: { knots: [0, 2], vals: [0.2, 0] },
      momentum: 0.6,
      muon: {
        iterations: 3,
        coefficients: [3.4445, -4.775, 2.0315],
        rescale: { first: 2, growth: 0 },
      },
    },
  ],
};

/**
 * Eight steps, five per epoch: the whitening bias is trained in the first three, images have 8 pixels in the first six, and
 * the lookahead average starts after step 2 and is updated after steps 5 and 8.
 */
const training: Training = {
  model: {
    graph: build<AnyLayer>({
      whiten: conv(3, 4, {
        size: 2,
        padding: 0,
        hasBias: true,
        isFrozen: true,
        isBiasFrozen: false,
      }),
      act: gelu(),
      block: {
        conv1: conv(4, 4, { init: 'dirac' }),
        pool: maxPool(2),
        norm: batchNorm(4, { isScaleFrozen: true }),
        act: gelu(),
        conv2: conv(4, 4),
      },
      pool: globalMaxPool(),
      flatten: flatten(),
      linear: linear(4, 3, { isStandardised: true }),
    }),
    loss: build<AnyLayer>(labelSmoothingLoss(0.1)),
  },
  train: examples(21, 1),
  valid: examples(7, 2),
  imageShape: [side, side, 3],
  transforms: [crop(side, side), flipLR({ isAlternating: true })],
  pad: 1,
  jitter: { brightness: 0.2, contrast: 0.1 },
  sizes: [
    { from: 0, size: 8 },
    { from: 1.2, size: side },
  ],
  batchSize: 4,
  validBatchSize: 3,
  epochs: 1.5,
  lr: { knots: [0, 2], vals: [0.4, 0] },
  firstStep: 0,
  weightDecay: 5e-4,
  momentum: 0.85,
  optimiser,
  lookahead: { decay: 0.7, every: 3, from: 0.4 },
  tta: 'six-views',
  seed: 1,
  engine: { mode: 'eager' },
};

/** A lookahead that would start only after the end of the run. */
const never = { decay: 0.7, every: 3, from: 9 };

const using = <T>(
  changes: Partial<Training>,
  watch: Watch,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> => lend({ ...training, ...changes }, watch, use);

async function whole(changes: Partial<Training> = {}): Promise<unknown> {
  return using(changes, {}, async (trainer) => {
    const rows = [await trainer.runEpoch(1), await trainer.runEpoch(2)];
    return { rows: rows.map(figures), learnt: (await trainer.save()).learnt };
  });
}

/** The state after a run of `changes.epochs` epochs. */
async function learntAfter(changes: Partial<Training>): Promise<Snapshot['learnt']> {
  return using(changes, {}, async (trainer) => {
    for (let epoch = 1; epoch <= Math.ceil(changes.epochs ?? 0); epoch++) {
      await trainer.runEpoch(epoch);
    }
    return (await trainer.save()).learnt;
  });
}

const same = (a: HostTensor, b: HostTensor): boolean =>
  a.data.every((value, index) => value === b.data[index]);

describe.each(['eager', 'captured'] as const)('%s', (mode) => {
  const engine = { mode };

  test('of a fractional epoch, that fraction of its steps is trained, rounded up', async () => {
    const count: FoldStep = ({ extra, batch }: Work) => ({
      extra: { images: extra['images'].add(batch.target.shape[0]) },
    });
    const extraState = { images: { shape: [], data: new Float32Array(1) } };
    await using({ engine, extraSteps: [count], extraState }, {}, async (trainer) => {
      expect([trainer.stepsPerEpoch, trainer.steps]).toEqual([5, 8]);
      const seen: number[] = [];
      for (const epoch of [1, 2]) {
        await trainer.runEpoch(epoch);
        seen.push((await trainer.session.read('extra')).extra['images'].data[0]);
      }
      expect(seen).toEqual([20, 32]);
    });
  });

  test('a run saved within a stage or between two updates of the average resumes bit-identically', async () => {
    const expected = await whole({ engine });
    const stops = mode === 'eager' ? [1, 2, 3, 4, 5, 6, 7, 9, 10, 11] : [4, 10];
    for (const stop of stops) {
      const rows: EpochRow[] = [];
      const saved = await using({ engine }, stopAfter(stop), async (trainer) => {
        await expect(
          (async () => {
            while (rows.length < 2) rows.push(await trainer.runEpoch(rows.length + 1));
          })(),
        ).rejects.toThrow(InterruptedError);
        return trainer.save();
      });
      await using({ engine }, {}, async (trainer) => {
        await trainer.restore(saved);
        await trainer.warmUp();
        while (rows.length < 2) rows.push(await trainer.runEpoch(rows.length + 1));
        const found = { rows: rows.map(figures), learnt: (await trainer.save()).learnt };
        expect(found, `stopped at ${stop}`).toEqual(expected);
      });
    }
  });

  test('a slowdown since the warm-up is extrapolated to later stages', async () => {
    let now = 0;
    let tick = 1;
    const clock = (): number => (now += tick);
    await using({ engine }, { clock }, async (trainer) => {
      expect(trainer.trainSecOf(1)).toBeNaN();
      await trainer.warmUp();
      expect([trainer.trainSecOf(1), trainer.trainSecOf(2)]).toEqual([5, 3]);
      tick = 3;
      await trainer.runEpoch(1);
      expect(trainer.trainSecOf(2)).toBeCloseTo(3 * 1.82, 2);
      // After the first epoch the moving average is at 3 - 2 * 0.9 ** 5 = 1.82 s per step, so 10 s suffice for five more steps.
      trainer.endIn(10);
      expect(trainer.steps).toBe(10);
    });
  });

  test('after its epochs a group is frozen, including its velocity, while others are trained', async () => {
    // Steps 3, 4 and 5 are the last of these runs.
    const [three, four, five] = await Promise.all(
      [0.6, 0.8, 1].map((epochs) => learntAfter({ engine, epochs, lookahead: never })),
    );
    const bias = 'whiten/bias';
    expect(same(four.network[bias], five.network[bias])).toBe(true);
    expect(same(three.network[bias], five.network[bias])).toBe(true);
    expect(same(three.velocity[bias], five.velocity[bias])).toBe(true);
    const two = await learntAfter({ engine, epochs: 0.4, lookahead: never });
    expect(same(two.network[bias], three.network[bias])).toBe(false);
    for (const path of ['block/conv1/weight', 'block/norm/bias', 'linear/weight']) {
      expect(same(four.network[path], five.network[path])).toBe(false);
    }
  });

  test('the network is set to the average only in the steps where an update is due', async () => {
    const at = (epochs: number, changes: Partial<Training> = {}): Promise<Snapshot['learnt']> =>
      learntAfter({ engine, epochs, ...changes });
    const path = 'linear/weight';
    // Starts after step 2; nothing happens until step 5.
    const [two, four] = [await at(0.4), await at(0.8)];
    expect(four.network).toEqual((await at(0.8, { lookahead: never })).network);
    expect(same(two.ema[path], two.network[path])).toBe(true);
    expect(four.ema).toEqual(two.ema);
    const fast = await at(1, { lookahead: never });
    const slow = await at(1);
    for (const [name, tensor] of Object.entries(slow.network)) {
      const data = Array.from(
        two.network[name].data,
        (old, i) => 0.7 * old + 0.3 * fast.network[name].data[i],
      );
      expectClose(name, tensor, { shape: tensor.shape, data }, 1e-6);
    }
    expect(slow.ema).toEqual(slow.network);
    expect(slow.velocity).toEqual(fast.velocity);
  });

  test('midwayImages limits the images and disables test-time augmentation, except after the last epoch', async () => {
    await using({ engine, midwayImages: 4 }, {}, async (trainer) => {
      const first = await trainer.runEpoch(1);
      const { totals } = await trainer.session.read('totals');
      expect(totals.count.data[0]).toBe(4);
      const some = await trainer.evaluate({ images: 4, tta: false });
      expect([first.valid.loss, first.valid.acc]).toEqual([some.loss, some.acc]);
      expect(some.loss).not.toBe((await trainer.evaluate({ images: 4 })).loss);
      const last = await trainer.runEpoch(2);
      const all = await trainer.evaluate({ tta: 'six-views' });
      expect([last.valid.loss, last.valid.acc]).toEqual([all.loss, all.acc]);
      expect((await trainer.session.read('totals')).totals.count.data[0]).toBe(7);
      // More images than there are: all of them.
      expect((await trainer.evaluate({ images: 99 })).loss).toBe(all.loss);
    });
  });

  test('warm-up and restart give the same result as a new trainer', async () => {
    const expected = await whole({ engine });
    const found = await using({ engine, seed: 2 }, {}, async (trainer) => {
      await trainer.warmUp();
      await trainer.runEpoch(1);
      trainer.restart(1);
      const rows = [await trainer.runEpoch(1), await trainer.runEpoch(2)];
      return { rows: rows.map(figures), learnt: (await trainer.save()).learnt };
    });
    expect(found).toEqual(expected);
  });
});

test('calls of several steps end at stages and average updates, and agree with single steps', async () => {
  const of = (stepsPerCall: number): Promise<Snapshot['learnt']> =>
    learntAfter({ epochs: 1.5, engine: { mode: 'captured', precision: 'fp32', stepsPerCall } });
  const [single, several] = [await of(1), await of(4)];
  for (const part of ['network', 'velocity', 'ema'] as const) {
    for (const [path, tensor] of Object.entries(several[part])) {
      // TensorFlow fuses convolution, bias and GELU in single steps, but not in a loop.
      expectClose(`${part} ${path}`, tensor, single[part][path]);
    }
  }
});

test('captured and eager training agree', async () => {
  const of = (mode: 'captured' | 'eager'): Promise<Snapshot['learnt']> =>
    learntAfter({ epochs: 1.5, engine: { mode, precision: 'fp32' } });
  const [captured, eager] = [await of('captured'), await of('eager')];
  for (const [path, tensor] of Object.entries(captured.network)) {
    expectClose(path, tensor, eager.network[path], 1e-3);
  }
});

test('with a frozen bias, the input gradient of the next block is not computed', async () => {
  await using({ engine: { mode: 'captured', precision: 'fp32' } }, {}, async (trainer) => {
    trainer.flops();
    const inputGradients = trainer.session.recordings
      .filter(({ name }) => name.startsWith('train'))
      .map(({ name, nodes }) => [
        name,
        nodes.filter(({ op }) => op.includes('BackpropInput')).length,
      ]);
    // Both convolutions of the block, then only the second one; the whitening kernel is always frozen.
    expect(inputGradients).toEqual([
      ['train, 8 px [4]', 2],
      ['train, 8 px, whiten/bias frozen [4]', 1],
      [`train, ${side} px, whiten/bias frozen [4]`, 1],
    ]);
  });
});

describe('flops', () => {
  const [batch, width, patch] = [4, 4, 2 * 2 * 3];

  /** Operations of a forward pass on one image, and those that its gradients add. */
  function byHand(extent: number): { readonly forward: number; readonly gradients: number[] } {
    const whitened = extent - 1;
    const whiten = 2 * whitened ** 2 * patch * width;
    // Rows that the pooling reads. Of their three taps, the first row loses one outside the image, and the last if it is read.
    const rows = 2 * Math.floor(whitened / 2);
    const lost = whitened % 2 === 1 ? 1 : 2;
    const conv1 = 2 * (rows * 3 - lost) ** 2 * width * width;
    // Four channels are too few for our own kernels, and TensorFlow computes the gradients of the untrimmed convolution.
    const whole1 = 2 * (whitened * 3 - 2) ** 2 * width * width;
    const conv2 = 2 * ((rows / 2) * 3 - 2) ** 2 * width * width;
    const matrix = 2 * width * 3;
    return {
      forward: whiten + conv1 + conv2 + matrix,
      // With respect to kernels and inputs, except the input of the first convolution, which is listed separately.
      gradients: [whole1 + 2 * conv2 + 2 * matrix, whole1],
    };
  }

  test('of a run are those of its stages, resampling and Newton-Schulz included', async () => {
    const kernel = 9 * width;
    const product = 2 * kernel * width * width;
    // Two products with the long side, and 3 + 2 + 4 in matrices of the short side.
    const update = 2 * (2 * product + 9 * 2 * width ** 3);
    const resampling = batch * (2 * 8 * side * side * 3 + 2 * 8 * 3 * side * 8);
    const [small, large] = [byHand(8), byHand(side)];
    const step = ({ forward, gradients }: typeof small, learns: boolean): number =>
      batch * (forward + gradients[0] + (learns ? gradients[1] : 0)) + update;
    await using({ engine: { mode: 'captured', precision: 'fp32' } }, {}, async (trainer) => {
      expect(trainer.flops()).toEqual({
        train:
          3 * (step(small, true) + resampling) +
          3 * (step(small, false) + resampling) +
          2 * step(large, false),
        // Three, three and one of the test images, six views each.
        evaluation: 7 * 6 * large.forward,
      });
    });
  });

  test('count the plain pass and the views of the unsure quarter of each batch', async () => {
    const engine = { mode: 'captured', precision: 'fp32' } as const;
    await using({ engine, tta: 'six-views-if-unsure' }, {}, async (trainer) => {
      // Five more views of ceil(3 / 4) + ceil(3 / 4) + ceil(1 / 4) images of 7.
      expect(trainer.flops().evaluation).toBe((7 + 5 * 3) * byHand(side).forward);
    });
  });

  test('are not counted in eager mode', async () => {
    await using({}, {}, async (trainer) => {
      expect(() => trainer.flops()).toThrow(/eager mode has none\. Capture the steps/);
    });
  });
});

test('rejects a training with both ema and lookahead', () => {
  expect(() => createTrainer({ ...training, ema: { momentum: 0.9, updateFreq: 1 } })).toThrow(
    new TrainError('train: "ema" and "lookahead" are both set. Give one of them.'),
  );
});

test('a trainer with all options leaks no tensor', async () => {
  const before = tf.memory().numTensors;
  await whole();
  expect(tf.memory().numTensors).toBe(before);
});

test('warm-up captures every call of a run, so that none is captured while epochs are timed', async () => {
  const several = { mode: 'captured', precision: 'fp32', stepsPerCall: 4 } as const;
  await using({ epochs: 1.5, engine: several }, {}, async (trainer) => {
    await trainer.warmUp();
    const recorded = trainer.session.recordings.map(({ name }) => name);
    await trainer.runEpoch(1);
    await trainer.runEpoch(2);
    expect(trainer.session.recordings.map(({ name }) => name)).toEqual(recorded);
    expect(recorded).toEqual(
      expect.arrayContaining([
        'train, 8 px [4] x 2',
        'train, 8 px [4]',
        'train, 10 px, whiten/bias frozen [4] x 2',
      ]),
    );
  });
});
