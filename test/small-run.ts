import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { InterruptedError } from '../src/base/errors';
import { createRng } from '../src/base/rng';
import { classes } from '../src/data/cifar10';
import type { Cifar10, Split } from '../src/data/cifar10';
import type { EpochRow } from '../src/train/training';
import { findExperiment } from '../src/catalogue/catalogue';
import type { Experiment } from '../src/catalogue/experiment';
import { scaled } from '../src/catalogue/scale';
import type { FinishedRun } from '../src/runs/run';
import { resumeRun, trainExperiment } from '../src/runs/train';
import type { ResumeOptions, TrainOptions } from '../src/runs/train';

/** What the tests change in `run.json`. */
export type RunFile = FinishedRun & { readonly record: string };

/** Milliseconds that a test which trains may take. */
export const long = 180_000;

/** So many images of noise. */
export function made(count: number): Split {
  const rng = createRng(count, 'images');
  return {
    images: Uint8Array.from({ length: count * 3072 }, () => rng.integer(256)),
    labels: Uint8Array.from({ length: count }, () => rng.integer(10)),
  };
}

/** Noise for three batches of training and two of validation. */
export const data: Cifar10 = { train: made(48), valid: made(32), classes, source: 'made here' };

/** Three epochs of three batches, and two of validation; everything that a session can hold is in use. */
export const smoke = scaled(findExperiment('demo'), 'smoke');
export const small: Experiment = {
  ...smoke,
  data: { ...smoke.data, subset: { train: 48, valid: 32 }, batchSize: 16 },
  optim: { ...smoke.optim, ema: { momentum: 0.9, updateFreq: 2 } },
  run: { ...smoke.run, epochs: 3 },
};

/** Stops after so many batches, of training and of validation. */
export function stopAfter(batches: number): Pick<TrainOptions, 'signal' | 'clock' | 'onProgress'> {
  let [now, told] = [0, 0];
  const controller = new AbortController();
  return {
    // It ticks when it is read, so that progress is told after each batch.
    clock: () => ++now,
    signal: controller.signal,
    onProgress: () => {
      told += 1;
      if (told === batches) controller.abort();
    },
  };
}

/** Rows without times, which no seed gives. */
export const figures = (rows: readonly EpochRow[]): unknown[] =>
  rows.map(({ epoch, lr, train, valid }) => {
    return [epoch, lr, train.loss, train.acc, valid.loss, valid.acc];
  });
/** What two runs of the same seed share. */
export const bits = ({ rows, state }: FinishedRun): unknown => ({ rows: figures(rows), state });
/** A run's `run.json`. */
export const fileOf = (folder: string): RunFile =>
  JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunFile;
/** A run's `log.jsonl`. */
export const rowsOf = (folder: string): EpochRow[] =>
  readFileSync(join(folder, 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EpochRow);
/** The files of a run's folder. */
export const namesOf = (folder: string): string[] =>
  readdirSync(folder).map((name) => (name.startsWith('events.out.') ? 'events' : name));
/** How many events of a run's first and last tag are there, whatever file they are in. */
export const eventsOf = (folder: string): number =>
  readdirSync(folder)
    .filter((name) => name.startsWith('events.out.'))
    .map((name) => readFileSync(join(folder, name), 'latin1').split('time/total').length - 1)
    .reduce((sum, count) => sum + count, 0);

/** Resumes a run on the same images. */
export const resume = (folder: string, more: Partial<ResumeOptions> = {}): Promise<FinishedRun> =>
  resumeRun(folder, { data, ...more });

/** A run that was stopped after so many batches, and what it said. */
export async function stoppedRun(
  logDir: string,
  batches: number,
  more: Partial<TrainOptions> = {},
): Promise<{ readonly folder: string; readonly said: string }> {
  const options = { data, seed: 3, logDir, ...stopAfter(batches), ...more };
  const error = await trainExperiment(small, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InterruptedError);
  return { folder: join(logDir, 'demo-smoke-3'), said: (error as Error).message };
}
