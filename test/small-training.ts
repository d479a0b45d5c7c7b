import { crop } from '../src/augment/crop';
import { cutout } from '../src/augment/cutout';
import { flipLR } from '../src/augment/flip';
import { createRng } from '../src/base/rng';
import { build } from '../src/graph/build';
import { relu } from '../src/nn/activation';
import { batchNorm } from '../src/nn/batch-norm';
import { flatten } from '../src/nn/combine';
import { conv, linear } from '../src/nn/conv';
import { crossEntropyLoss } from '../src/nn/loss';
import type { AnyLayer } from '../src/nn/network';
import { maxPool } from '../src/nn/pool';
import { createTrainer } from '../src/train/trainer';
import type { Examples, Trainer, Training, Watch } from '../src/train/training';
import type { Model } from '../src/train/steps';
import { figures } from './epoch-row';

/** Side of the images, in pixels. */
export const side = 8;

/** Noise images with three labels. */
export function examples(
  count: number,
  seed: number,
): Examples & { readonly images: Float32Array } {
  const rng = createRng(seed, 'examples');
  const images = rng.fillUniform(new Float32Array(count * side * side * 3), -1, 1);
  return { images, labels: Array.from({ length: count }, () => rng.integer(3)) };
}

/** Convolution, batch norm, pooling and a linear layer. */
export const model: Model = {
  graph: build<AnyLayer>({
    conv: conv(3, 4),
    norm: batchNorm(4),
    act: relu(),
    pool: maxPool(side),
    flatten: flatten(),
    linear: linear(4, 3),
  }),
  loss: build<AnyLayer>(crossEntropyLoss()),
};

/** A network without batch norm: the result of an example does not depend on the others. */
export const apart: Model = {
  graph: build<AnyLayer>({ flatten: flatten(), linear: linear(side * side * 3, 3) }),
  loss: build<AnyLayer>(crossEntropyLoss()),
};

/** Three epochs of ten images, augmented in every way. */
export const training: Training = {
  model,
  train: examples(10, 1),
  valid: examples(6, 2),
  imageShape: [side, side, 3],
  transforms: [crop(side, side), flipLR(), cutout(3, 3)],
  pad: 2,
  scheme: 'groups',
  maxOptions: 200,
  batchSize: 4,
  dropLast: false,
  epochs: 3,
  lr: { knots: [0, 1, 3], vals: [0, 0.4, 0.1] },
  weightDecay: 5e-4,
  momentum: 0.9,
  optimiser: { rule: 'nesterov-b', groups: [] },
  tta: false,
  seed: 1,
  engine: { mode: 'eager' },
};

/** Lends a trainer of {@link training} with changes, and disposes of it. */
export const using = <T>(
  changes: Partial<Training>,
  watch: Watch,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> => lend({ ...training, ...changes }, watch, use);

/** Lends a trainer, and disposes of it. */
export async function lend<T>(
  given: Training,
  watch: Watch,
  use: (trainer: Trainer) => Promise<T>,
): Promise<T> {
  const trainer = createTrainer(given, watch);
  try {
    return await use(trainer);
  } finally {
    trainer.dispose();
  }
}

/** Rows and final state of some epochs. */
export async function run(
  changes: Partial<Training>,
  epochs: readonly number[] = [1, 2],
): Promise<{ readonly rows: readonly (readonly number[])[]; readonly state: unknown }> {
  return using(changes, {}, async (trainer) => {
    const rows = [];
    for (const epoch of epochs) rows.push(figures(await trainer.runEpoch(epoch)));
    return { rows, state: await trainer.session.read('network', 'velocity', 'ema') };
  });
}

/** Stops after `batches` batches, counting training and validation. */
export function stopAfter(batches: number): Pick<Watch, 'signal' | 'clock' | 'onProgress'> {
  let [now, reports] = [0, 0];
  const controller = new AbortController();
  return {
    // Ticks when it is read, so that progress is reported after each batch.
    clock: () => ++now,
    signal: controller.signal,
    onProgress: () => {
      reports += 1;
      if (reports === batches) controller.abort();
    },
  };
}
