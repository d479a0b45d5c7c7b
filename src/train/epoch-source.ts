import { gatherTables } from '../augment/gather';
import type { GatherTables } from '../augment/gather';
import { residentSplit } from './batches';
import { drawEpoch, plainBatches } from './epoch-batches';
import type { EpochBatches } from './epoch-batches';
import { checkExamples, checkSameCounts } from './snapshot';
import type { Examples, Training, TrainingState } from './training';

/** The examples of a training by split. */
export type Splits = Readonly<Record<'train' | 'valid', Examples>>;

type Resident = Pick<TrainingState, 'train' | 'valid'>;

/** Which examples the batches of a training hold, and how they are augmented. Nothing here is on the device. */
export class EpochSource {
  readonly tables: GatherTables;
  readonly #training: Training;
  #seed: number;
  #examples: Splits;
  #drawn: { readonly epoch: number; readonly of: EpochBatches } | undefined;

  constructor(training: Training) {
    const { seed, train, valid, transforms = [], imageShape = [32, 32, 3], pad = 0 } = training;
    this.#training = training;
    this.#seed = seed;
    this.#examples = { train, valid };
    this.tables = gatherTables(transforms, [imageShape[0], imageShape[1]], pad);
  }

  get seed(): number {
    return this.#seed;
  }

  get examples(): Splits {
    return this.#examples;
  }

  /**
   * Takes another seed, and other examples if they are given.
   *
   * @returns the other examples as the device holds them
   * @throws TrainError if there are not as many examples as before, or images and labels do not belong together
   */
  restart(seed: number, examples?: Splits): Partial<Resident> {
    const resident = examples === undefined ? {} : this.#others(examples);
    this.#seed = seed;
    this.#drawn = undefined;
    return resident;
  }

  #others(examples: Splits): Resident {
    checkSameCounts(this.#examples, examples);
    const resident = this.resident(examples);
    this.#examples = { train: examples.train, valid: examples.valid };
    return resident;
  }

  /**
   * Examples as the device holds them.
   *
   * @throws TrainError if images and labels do not belong together
   */
  resident(examples: Splits = this.#examples): Resident {
    const { imageShape = [32, 32, 3] } = this.#training;
    const split = (name: 'train' | 'valid'): TrainingState['train'] => {
      const { images, labels } = examples[name];
      checkExamples(name, examples[name], imageShape);
      return residentSplit(images, labels, imageShape[2]);
    };
    return { train: split('train'), valid: split('valid') };
  }

  /** Order and augmentation of an epoch, from 1. The last epoch that was drawn is kept. */
  draw(epoch: number): EpochBatches {
    if (this.#drawn?.epoch === epoch) return this.#drawn.of;
    const count = this.#examples.train.labels.length;
    const { padded } = this.tables;
    const of = drawEpoch({ ...this.#training, count, padded }, this.#seed, epoch);
    this.#drawn = { epoch, of };
    return of;
  }

  /** Training examples in their own order, as they are. */
  plainTraining(): EpochBatches {
    const { batchSize, dropLast = true, jitter } = this.#training;
    const count = this.#examples.train.labels.length;
    return plainBatches(count, { batchSize, dropLast }, jitter !== undefined);
  }

  /** The first test images, by default all, in their own order. */
  validation(images: number = this.#examples.valid.labels.length): EpochBatches {
    const { batchSize, validBatchSize = batchSize } = this.#training;
    const count = Math.min(images, this.#examples.valid.labels.length);
    return plainBatches(count, { batchSize: validBatchSize });
  }
}
