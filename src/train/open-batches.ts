import * as tf from '@tensorflow/tfjs-core';
import { gatherTables } from '../augment/gather';
import type { HostTensor } from '../base/host-tensor';
import { createSession } from '../engine/session';
import type { OnDevice } from '../engine/step';
import { applyJitter, gatherBatch, resampleBatch, residentSplit, residentTables } from './batches';
import type { Batch, BatchFeed, ResidentSplit, ResidentTables } from './batches';
import { drawEpoch, feedsOf } from './epoch-batches';
import { checkSizes, sizeAt } from './stages';
import type { Examples, Training } from './training';
import { startTimer } from './timer';

/** What determines the batches: a part of a {@link Training}, or the `data` of an experiment with images and a seed. */
export type BatchesOptions = Pick<
  Training,
  | 'transforms'
  | 'pad'
  | 'scheme'
  | 'maxOptions'
  | 'jitter'
  | 'sizes'
  | 'batchSize'
  | 'dropLast'
  | 'seed'
  | 'engine'
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
 * gives the same batches as in a training of the scheduled length.
 *
 * @throws AugmentError if the transforms do not fit the images, or there are fewer images than a batch has
 * @throws TrainError if sizes are out of order or range
 */
export function openBatches({
  train,
  pad = 0,
  seed,
  engine,
  isShuffled = true,
  sizes = [],
  ...how
}: BatchesOptions): Batches {
  const source = [32, 32] as const;
  const tables = gatherTables(how.transforms ?? [], source, pad);
  const drawing = { ...how, count: train.labels.length, padded: tables.padded };
  checkSizes(sizes);
  const feed = (epoch: number): BatchFeed[] => {
    const drawn = drawEpoch(drawing, seed, epoch, isShuffled);
    return feedsOf(drawn.batches, drawn);
  };
  const perEpoch = feed(1).length;
  /** Height and width of a batch, both counted from 1; undefined if images are not resampled. */
  const sizeOf = (epoch: number, batch: number): number | undefined =>
    sizeAt(sizes, perEpoch, (epoch - 1) * perEpoch + batch - 1);
  const session = createSession(
    {
      train: residentSplit(train.images, train.labels, 3),
      tables: residentTables(tables),
    },
    engine,
  );
  const made = (
    state: OnDevice<{ train: ResidentSplit; tables: ResidentTables }>,
    fed: OnDevice<BatchFeed>,
    size: number | undefined,
  ): Batch => {
    const gathered = gatherBatch(state.train, state.tables, fed, source, tables.hasCutout);
    const batch = applyJitter(gathered, fed);
    return size === undefined ? batch : resampleBatch(batch, size);
  };
  const look = perSize((name, example, size) =>
    session.capture(
      `batch ${name}`,
      (state, fed) => {
        const { input, target } = made(state, fed, size);
        return { outputs: { input, target } };
      },
      example,
    ),
  );
  const make = perSize((name, example, size) =>
    session.capture(
      `sum of batch ${name}`,
      (state, fed) => ({ outputs: { sum: tf.sum(made(state, fed, size).input) } }),
      example,
    ),
  );
  return {
    perEpoch,
    read: (epoch, batch) => look(feed(epoch)[batch - 1], sizeOf(epoch, batch)),
    async runEpoch(epoch) {
      const timer = startTimer();
      for (const [index, batch] of feed(epoch).entries()) {
        await make(batch, sizeOf(epoch, index + 1));
      }
      return timer();
    },
    dispose: () => session.dispose(),
  };
}

/** Captures a step once per number and size of images. */
function perSize<O>(
  capture: (
    name: string,
    example: BatchFeed,
    size: number | undefined,
  ) => (feed: BatchFeed) => Promise<O>,
): (feed: BatchFeed, size: number | undefined) => Promise<O> {
  const captured = new Map<string, (feed: BatchFeed) => Promise<O>>();
  return (batch, size) => {
    const name = `[${batch.order.length}]${size === undefined ? '' : `, ${size} px`}`;
    const run = captured.get(name) ?? capture(name, batch, size);
    captured.set(name, run);
    return run(batch);
  };
}
