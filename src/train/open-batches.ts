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

/** What decides how batches are made: a part of a {@link Training}, or a record's `data` with images and a seed. */
export type BatchesOptions = Pick<
  Training,
  'transforms' | 'pad' | 'scheme' | 'maxOptions' | 'batchSize' | 'dropLast' | 'seed' | 'engine'
> & {
  readonly train: Examples;
  /** Whether an epoch's examples are shuffled, as in training; true where absent. */
  readonly isShuffled?: boolean;
};

/** The batches that training sees, without a network. */
export interface Batches {
  readonly perEpoch: number;
  /** A batch, on the host: images `[B,h,w,C]` normalised and augmented, and classes `[B]`. Epochs and batches count from 1. */
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
   * Makes every batch of an epoch on the device and resolves with the seconds that it took, drawing of choices included. Of
   * each batch one number comes back, the sum of its pixels.
   */
  runEpoch(epoch: number): Promise<number>;
  /** Frees the images on the device. */
  dispose(): void;
}

/**
 * Puts images on the device and makes batches of them as `createTrainer` does, for whoever wants to look at them or to know
 * what they cost. The same seed gives the batches of a training.
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

/** A step that is captured once for each size of a batch. */
function perSize<O>(capture: (name: string, example: BatchFeed) => Run<O>): Run<O> {
  const captured = new Map<number, Run<O>>();
  return (batch) => {
    const size = batch.order.length;
    const run = captured.get(size) ?? capture(`[${size}]`, batch);
    captured.set(size, run);
    return run(batch);
  };
}
