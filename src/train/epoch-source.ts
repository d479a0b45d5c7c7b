import { gatherTables } from '../augment/gather';
import type { GatherTables } from '../augment/gather';
import { residentSplit } from './batches';
import { drawEpoch, plainBatches } from './epoch-batches';
import type { EpochBatches } from './epoch-batches';
import { outputCount } from '../nn/network';
import { checkExamples, checkSameCounts } from './snapshot';
import type { Examples, Training, TrainingState } from './training';

/** The examples of a training by split. */
export type Splits = Readonly<Record<'train' | 'valid', Examples>>;

type Resident = Pick<TrainingState, 'train' | 'valid'>;

/** Determines the examples in each batch and their augmentation. Nothing here is on the device. */
export class EpochSource {
  readonly tables: GatherTables;
  readonly #training: Training;
  readonly #classes: number | undefined;
  #seed: number;
  #examples: Splits;
  #drawn: { readonly epoch: number; readonly of: EpochBatches } | undefined;

  constructor(training: Training) {
    this.#classes = outputCount(training.model.graph);
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
   * Switches to another seed and, if given, to other examples.
   *
   * @returns the new examples in the form that the device holds
   * @throws TrainError if the number of examples differs, or images and labels do not match
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
   * Examples in the form that the device holds.
   *
   * @throws TrainError if images and labels do not match
   */
  resident(examples: Splits = this.#examples): Resident {
    const { imageShape = [32, 32, 3] } = this.#training;
    const split = (name: 'train' | 'valid'): TrainingState['train'] => {
      const { images, labels } = examples[name];
      checkExamples(name, examples[name], imageShape, this.#classes);
      return residentSplit(images, labels, imageShape[2]);
    };
    return { train: split('train'), valid: split('valid') };
  }

  /** Order and augmentation of an epoch, counted from 1. The epoch drawn last is cached. */
  draw(epoch: number): EpochBatches {
    if (this.#drawn?.epoch === epoch) return this.#drawn.of;
    const count = this.#examples.train.labels.length;
    const { padded } = this.tables;
    const of = drawEpoch({ ...this.#training, count, padded }, this.#seed, epoch);
    this.#drawn = { epoch, of };
    return of;
  }

  /** Training examples in their original order, without augmentation. */
  plainTraining(): EpochBatches {
    const { batchSize, dropLast = true, jitter } = this.#training;
    const count = this.#examples.train.labels.length;
    return plainBatches(count, { batchSize, dropLast }, jitter !== undefined);
  }

  /** The first `images` test images in their original order; default: all. */
  validation(images: number = this.#examples.valid.labels.length): EpochBatches {
    const { batchSize, validBatchSize = batchSize } = this.#training;
    const count = Math.min(images, this.#examples.valid.labels.length);
    return plainBatches(count, { batchSize: validBatchSize });
  }
}
