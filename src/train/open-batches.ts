import * as tf from '@tensorflow/tfjs-core';
import { batchIndices, epochBatches } from '../augment/epoch-order';
import { gatherTables } from '../augment/gather';
import { plan } from '../augment/plan';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { createSession } from '../engine/session';
import { gatherBatch, residentSplit, residentTables } from './batches';
import type { BatchFeed } from './batches';
import type { Examples, Training } from './training';
import { startTimer } from './timer';

/** What determines the batches: a part of a {@link Training}, or the `data` of an experiment with images and a seed. */
export type BatchesOptions = Pick<
  Training,
  'transforms' | 'pad' | 'scheme' | 'maxOptions' | 'batchSize' | 'dropLast' | 'seed' | 'engine'
> & {
  readonly train: Examples;
  /** Whether an epoch's examples are shuffled, as in training. Default: true. */
  readonly isShuffled?: boolean;
};

/** The batches that training sees, without a network. */
export interface Batches {
  readonly perEpoch: number;
  /** Reads a batch to the host: normalised, augmented images `[B,h,w,C]` and classes `[B]`. Epochs and batches count from 1. */
  read(
    epoch: number,
    batch: number,
  ): Promise<{
    /** `[B,h,w,C]` */
    readonly input: HostTensor;
    /** `[B]` */
    readonly target: HostTensor;
  }>;
  /**
   * Makes every batch of an epoch on the device and resolves with the seconds that this took, including drawing the random
   * choices. Only one number per batch is read back, the sum of its pixels.
   */
  runEpoch(epoch: number): Promise<number>;
  /** Frees the images on the device. */
  dispose(): void;
}

/**
 * Puts images on the device and makes batches of them as `createTrainer` does, to inspect them or to time them. The same seed
 * gives the same batches as in training.
 *
 * @throws AugmentError if the transforms do not fit the images, or there are fewer images than a batch has
 */
export function openBatches({
  train,
  transforms = [],
  pad = 0,
  scheme = 'per-example',
  maxOptions = 200,
  batchSize,
  dropLast = true,
  seed,
  engine,
  isShuffled = true,
}: BatchesOptions): Batches {
  const source = [32, 32] as const;
  const tables = gatherTables(transforms, source, pad);
  const count = train.labels.length;
  const order = (epoch: number): Int32Array[] => {
    const rng = isShuffled ? { rng: createRng(seed, 'order', epoch) } : {};
    return epochBatches(count, { batchSize, dropLast, ...rng });
  };
  const choices = (epoch: number): ReturnType<typeof plan> =>
    plan(transforms, tables.padded, count, {
      scheme,
      maxOptions,
      rng: createRng(seed, 'augment', epoch),
    });
  const feed = (epoch: number): BatchFeed[] => {
    const drawn = choices(epoch);
    return order(epoch).map((indices) => ({ ...batchIndices(drawn, indices) }));
  };
  const perEpoch = order(1).length;
  const session = createSession(
    {
      train: residentSplit(train.images, train.labels, 3),
      tables: residentTables(tables),
    },
    engine,
  );
  const look = perSize((name, example) =>
    session.capture(
      `batch ${name}`,
      (state, batch) => {
        const { input, target } = gatherBatch(
          state.train,
          state.tables,
          batch,
          source,
          tables.hasCutout,
        );
        return { outputs: { input, target } };
      },
      example,
    ),
  );
  const make = perSize((name, example) =>
    session.capture(
      `sum of batch ${name}`,
      (state, batch) => {
        const { input } = gatherBatch(state.train, state.tables, batch, source, tables.hasCutout);
        return { outputs: { sum: tf.sum(input) } };
      },
      example,
    ),
  );
  return {
    perEpoch,
    read: (epoch, batch) => look(feed(epoch)[batch - 1]),
    async runEpoch(epoch) {
      const timer = startTimer();
      for (const batch of feed(epoch)) await make(batch);
      return timer();
    },
    dispose: () => session.dispose(),
  };
}

type Run<O> = (feed: BatchFeed) => Promise<O>;

/** Captures a step once per batch size. */
function perSize<O>(capture: (name: string, example: BatchFeed) => Run<O>): Run<O> {
  const captured = new Map<number, Run<O>>();
  return (batch) => {
    const size = batch.order.length;
    const run = captured.get(size) ?? capture(`[${size}]`, batch);
    captured.set(size, run);
    return run(batch);
  };
}
