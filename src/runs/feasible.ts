import { totalmem } from 'node:os';
import { RunError } from '../base/errors';
import type { Experiment } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import { recordBytes } from '../data/decode';
import type { Cifar10 } from '../data/cifar10';
import { countTrainable } from '../nn/network';
import { durationText } from '../text/progress';

/** A step takes at least a millisecond, so this many steps take more than a day. */
const mostSteps = 1e8;

const yearSec = 365 * 24 * 3600;

/**
 * Checks, before anything is put on the device, that an experiment fits the machine and that its data exist.
 *
 * The memory estimate is a lower bound: weights, gradients, optimiser state, images, and the activations of the first layer.
 *
 * @param memoryBytes of the machine
 * @throws RunError if a subset has more images than exist, the run has more than 10^8 steps, or it needs more memory than
 *   the machine has; names the amount
 */
export function checkFeasible(
  experiment: Experiment,
  data: Pick<Cifar10, 'train' | 'valid'>,
  memoryBytes: number = totalmem(),
): void {
  const { name, data: use, run, optim } = experiment;
  // A caller's smaller data set is allowed; a subset then takes all of its images.
  for (const [split, path, official] of [
    ['train', 'data.subset.train', 50_000],
    ['valid', 'data.subset.valid', 10_000],
  ] as const) {
    const found = Math.max(data[split].labels.length, official);
    const wanted = use.subset?.[split] ?? 0;
    if (wanted > found) {
      throw new RunError(
        `run: ${path} is ${grouped(wanted)}, but there are only ${grouped(found)} images. Set it to at most that.`,
      );
    }
  }
  const images = Math.min(use.subset?.train ?? Infinity, data.train.labels.length);
  const steps = Math.ceil((run.epochs * images) / use.batchSize);
  if (steps > mostSteps) {
    throw new RunError(
      `run: ${grouped(run.epochs)} epochs of ${grouped(images)} images in batches of ${use.batchSize} are ` +
        `${grouped(steps)} steps; the limit is ${grouped(mostSteps)}. Lower run.epochs.`,
    );
  }
  const parameters = countTrainable(networkOf(experiment));
  const copies = 3 + (optim.ema === undefined ? 0 : 1);
  const pixels = (data.train.labels.length + data.valid.labels.length) * (recordBytes + 4 * 3072);
  // The first layer's output for a batch and its gradient, at least in bf16.
  const [width] = Object.values(experiment.net.channels) as readonly number[];
  const activations = 2 * 2 * use.batchSize * 32 * 32 * width;
  const needed = 4 * copies * parameters + pixels + activations;
  if (needed > memoryBytes) {
    throw new RunError(
      `run: ${name} has ${grouped(parameters)} parameters and needs at least ${gigabytes(needed)} of memory; this machine ` +
        `has ${gigabytes(memoryBytes)}. Use fewer channels.`,
    );
  }
}

/**
 * Checks the expected duration of the rest of a run.
 *
 * @param remedy what to do about a run that takes too long
 * @throws RunError if it is more than a year; names the duration
 */
export function checkDuration(
  seconds: number,
  remedy = 'Lower run.epochs, or use a smaller scale.',
): void {
  if (!(seconds > yearSec)) return;
  throw new RunError(
    `run: it would take ${durationText(seconds)} on this machine, about ${grouped(Math.round(seconds / yearSec))} ` +
      `years. ${remedy}`,
  );
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toLocaleString('en-US', { maximumFractionDigits: 1 })} GiB`;
}
