import type { HostTensor } from '../base/host-tensor';
import type { Experiment } from '../catalogue/experiment';
import { lossOf, networkOf } from '../catalogue/network';
import { subset } from '../data/cifar10';
import type { Cifar10 } from '../data/cifar10';
import { normaliseSplit } from '../data/normalise';
import type { SessionOptions } from '../engine/session';
import { whitening, whitenInput } from '../nn/whiten';
import { createTrainer } from '../train/trainer';
import type { EpochRow, Examples, Trainer, Training, Watch } from '../train/training';
import { startTimer } from '../train/timer';
import type { Result } from './run';

/** An experiment that is ready to train on this machine. */
export interface PreparedRun {
  readonly trainer: Trainer;
  /** Seconds of normalisation; the scripts of the reference count them as training time. */
  readonly preprocessSec: number;
  readonly imagesPerEpoch: number;
}

/** Callbacks of a run, and how its steps are executed. */
export interface PrepareOptions extends Watch {
  readonly engine?: SessionOptions;
  /** The caller's steps and their state. */
  readonly steps?: Pick<Training, 'trainSteps' | 'extraSteps' | 'extraState'>;
}

/** The training or test images of an experiment, normalised. */
export function examplesOf(
  { data: { subset: count } }: Experiment,
  data: Cifar10,
  split: 'train' | 'valid',
): Examples {
  return normaliseSplit(count === undefined ? data[split] : subset(data[split], count[split]));
}

/** Normalises an experiment's images and puts them, its network and its steps on the device. Dispose the trainer. */
export function prepareRun(
  experiment: Experiment,
  data: Cifar10,
  seed: number,
  options: PrepareOptions = {},
): PreparedRun {
  const timer = startTimer(options.clock);
  const train = examplesOf(experiment, data, 'train');
  const valid = examplesOf(experiment, data, 'valid');
  const preprocessSec = timer();
  const trainer = trainerOf(experiment, { train, valid }, seed, options);
  const imagesPerEpoch = imagesOf(experiment, trainer, train.labels.length);
  return { trainer, preprocessSec, imagesPerEpoch };
}

/** The number of training images that an epoch uses, out of `count`. */
export function imagesOf(
  { data: { batchSize } }: Experiment,
  { stepsPerEpoch }: Pick<Trainer, 'stepsPerEpoch'>,
  count: number,
): number {
  return Math.min(stepsPerEpoch * batchSize, count);
}

/** Puts an experiment's network and steps, and the given images, on the device. Dispose the trainer. */
export function trainerOf(
  experiment: Experiment,
  { train, valid }: Readonly<Record<'train' | 'valid', Examples>>,
  seed: number,
  { engine, steps = {}, ...watch }: PrepareOptions = {},
): Trainer {
  const { data: images, optim, run } = experiment;
  const { rule, groups, ...schedules } = optim;
  const { subset: _subset, ...augmentation } = images;
  const { epochs, tta, midwayImages } = run;
  const whiten = whiteningOf(experiment);
  return createTrainer(
    {
      model: { graph: networkOf(experiment), loss: lossOf(experiment) },
      train,
      valid,
      imageShape: [32, 32, 3],
      ...augmentation,
      ...schedules,
      optimiser: { rule, groups },
      epochs,
      tta,
      ...(midwayImages === undefined ? {} : { midwayImages }),
      seed,
      ...(whiten === undefined ? {} : { start: whiten }),
      ...(engine === undefined ? {} : { engine }),
      ...steps,
    },
    watch,
  );
}

/** The function that sets the kernel of a network's whitening convolution; undefined if the network has none. */
function whiteningOf({ net }: Experiment): Training['start'] {
  switch (net.model) {
    case 'airbench':
      if (net.whiteningImages === 0) return undefined;
      return (variables, { images }) => {
        const patches = firstImages(images, net.whiteningImages);
        const whitened = whitening(patches, { size: 2, epsilon: 5e-4, hasBothSigns: true });
        return whitenInput(variables, whitened, 'whiten/conv');
      };
    case 'new-dawn':
      return (variables, { images }) => whitenInput(variables, firstImages(images, 10_000));
    case 'bag-of-tricks':
      if (!net.isWhitened) return undefined;
      return (variables, { images }) => whitenInput(variables, firstImages(images, 10_000));
    default:
      return undefined;
  }
}

/** The first `most` images, `[N,32,32,3]`. */
function firstImages(images: Float32Array, most: number): HostTensor {
  const size = 32 * 32 * 3;
  const count = Math.min(most, images.length / size);
  return { shape: [count, 32, 32, 3], data: images.subarray(0, count * size) };
}

/** Summarises the epochs of a run that trained on `images` images in total. */
export function resultOf(rows: readonly EpochRow[], images: number): Result {
  const last = rows[rows.length - 1];
  return {
    epochs: rows.length,
    accPercent: 100 * last.valid.acc,
    loss: last.valid.loss,
    trainSec: last['total time'],
    imagesPerSec: images / last['total time'],
    evaluationSec: last.valid.time,
  };
}
