import { expect, test } from 'vitest';
import { crop } from '../augment/crop';
import { flipLR } from '../augment/flip';
import { InterruptedError, TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import type { SessionOptions } from '../engine/session';
import { build } from '../graph/build';
import { resnet9 } from '../models/resnet9';
import { crossEntropyLoss } from '../nn/loss';
import { createTrainer } from './trainer';
import type { EpochRow, Examples, Learnt, Training, Watch } from './training';

const rng = createRng(0, 'steps-per-call');

function examples(count: number): Examples {
  const images = rng.fillUniform(new Float32Array(count * 32 * 32 * 3), -1, 1);
  return { images, labels: Int32Array.from({ length: count }, () => rng.integer(10)) };
}

/** Nine batches of eight per epoch, and one of three. */
const training: Training = {
  model: {
    graph: build(
      resnet9({
        channels: { prep: 4, layer1: 8, layer2: 8, layer3: 8 },
        weight: 0.125,
        resLayers: [],
      }),
    ),
    loss: build(crossEntropyLoss()),
  },
  train: examples(75),
  valid: examples(20),
  transforms: [crop(32, 32), flipLR()],
  pad: 4,
  batchSize: 8,
  dropLast: false,
  epochs: 2,
  lr: { knots: [0, 1, 2], vals: [0, 0.1, 0] },
  weightDecay: 5e-4,
  momentum: 0.9,
  optimiser: { rule: 'nesterov-a', groups: [] },
  ema: { momentum: 0.9, updateFreq: 3 },
  seed: 1,
};

type Found = { readonly rows: readonly object[]; readonly learnt: Learnt };

const untimed = ({ epoch, lr, train, valid }: EpochRow): object => ({
  epoch,
  lr,
  train: [train.loss, train.acc],
  valid: [valid.loss, valid.acc],
});

async function trained(engine: SessionOptions, changes: Partial<Training> = {}): Promise<Found> {
  const trainer = createTrainer({ ...training, ...changes, engine });
  try {
    const rows = [untimed(await trainer.runEpoch(1)), untimed(await trainer.runEpoch(2))];
    return { rows, learnt: (await trainer.save()).learnt };
  } finally {
    trainer.dispose();
  }
}

/** The result of training with one step per call. */
let single: Promise<Found> | undefined;
const singly = (): Promise<Found> => (single ??= trained({}));

test('any number of steps per call, with averages and a smaller last batch, is bit-identical', async () => {
  for (const stepsPerCall of [4, 100]) {
    expect(await trained({ stepsPerCall })).toEqual(await singly());
  }
});
test('bf16 with several steps per call is bit-identical', async () => {
  const bf16 = { precision: 'bf16' } as const;
  expect(await trained({ ...bf16, stepsPerCall: 9 })).toEqual(await trained(bf16));
});

test('an epoch as one XLA program agrees with single steps', async () => {
  const changes = { lr: { knots: [0], vals: [0.002] }, batchSize: 25 };
  const single = await trained({}, changes);
  const whole = await trained({ xla: true, xlaScope: 'step', stepsPerCall: 3 }, changes);
  const change = (found: Found): Float32Array =>
    found.learnt.velocity['prep/conv/weight'].data as Float32Array;
  const difference = change(whole).map((value, i) => value - change(single)[i]);
  expect(Math.hypot(...difference) / Math.hypot(...change(single))).toBeLessThan(0.02);
});

test('a warm-up with several steps per call changes no state and reports seconds per step', async () => {
  let now = 0;
  const watch: Watch = { clock: () => (now += 1) };
  const trainer = createTrainer({ ...training, engine: { stepsPerCall: 4 } }, watch);
  try {
    const before = (await trainer.save()).learnt;
    const { trainStepSec } = await trainer.warmUp();
    expect((await trainer.save()).learnt).toEqual(before);
    // An epoch is two calls of four steps, one call of one step and one of a smaller batch; each takes one tick.
    expect(trainStepSec).toBeCloseTo(4 / 10, 9);
    expect(trainer.stepsPerCall).toBe(4);
  } finally {
    trainer.dispose();
  }
});

test('a run stopped between two calls and restored is bit-identical to an uninterrupted run', async () => {
  const whole = await singly();
  const controller = new AbortController();
  const engine = { stepsPerCall: 4 };
  let calls = 0;
  const clock = (): number => {
    calls += 1;
    if (calls === 4) controller.abort();
    return calls;
  };
  const first = createTrainer({ ...training, engine }, { signal: controller.signal, clock });
  const second = createTrainer({ ...training, engine });
  try {
    await expect(first.runEpoch(1)).rejects.toThrow(InterruptedError);
    const snapshot = await first.save();
    expect(snapshot.unfinished?.batches).toBe(4);
    await second.restore(snapshot);
    const rows = [untimed(await second.runEpoch(1)), untimed(await second.runEpoch(2))];
    expect({ rows, learnt: (await second.save()).learnt }).toEqual(whole);
  } finally {
    first.dispose();
    second.dispose();
  }
});

test('restart with another seed is the same as a new trainer with that seed', async () => {
  const other = await trained({}, { seed: 7 });
  const trainer = createTrainer(training);
  try {
    await trainer.runEpoch(1);
    trainer.restart(7);
    const rows = [untimed(await trainer.runEpoch(1)), untimed(await trainer.runEpoch(2))];
    expect({ rows, learnt: (await trainer.save()).learnt }).toEqual(other);
  } finally {
    trainer.dispose();
  }
});

test('restart with other examples is the same as a new trainer with those examples', async () => {
  const { train, valid } = training;
  const darker = {
    train: { ...train, images: train.images.map((value) => value / 2) },
    valid: { ...valid, images: valid.images.map((value) => value / 2) },
  };
  const other = await trained({}, darker);
  const trainer = createTrainer(training);
  try {
    await trainer.runEpoch(1);
    trainer.restart(training.seed, darker);
    const rows = [untimed(await trainer.runEpoch(1)), untimed(await trainer.runEpoch(2))];
    expect({ rows, learnt: (await trainer.save()).learnt }).toEqual(other);
    expect(() => trainer.restart(0, { train, valid: train })).toThrow(
      /Give the same number, or create/,
    );
  } finally {
    trainer.dispose();
  }
});

test('rejects a stepsPerCall that is not a positive integer', () => {
  expect(() => createTrainer({ ...training, engine: { stepsPerCall: 0.5 } })).toThrow(TrainError);
});
