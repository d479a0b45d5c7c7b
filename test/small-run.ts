import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { InterruptedError } from '../src/base/errors';
import type { Cifar10 } from '../src/data/cifar10';
import type { EpochRow } from '../src/train/training';
import { findExperiment } from '../src/catalogue/catalogue';
import type { Experiment } from '../src/catalogue/experiment';
import { scaled } from '../src/catalogue/scale';
import type { FinishedRun } from '../src/runs/run';
import { resumeRun, trainExperiment } from '../src/runs/train';
import type { ResumeOptions, TrainOptions } from '../src/runs/train';
import { noiseData } from './noise-data';
import { figures } from './epoch-row';
import { stopAfter } from './small-training';

/** The content of `run.json`, as far as tests change it. */
export type RunFile = FinishedRun & { readonly record: string };

/** Timeout of a test that trains, in milliseconds. */
export const long = 180_000;

/** Noise for three batches of training and two of validation. */
export const data: Cifar10 = noiseData(48, 32);

export const smoke = scaled(findExperiment('demo'), 'smoke');
/** Reduces a ResNet-9 to its backbone, which is captured and optimised in half the time. */
export const backbone = <E extends Experiment>(experiment: E): E => ({
  ...experiment,
  net: { ...experiment.net, resLayers: [] },
});
/** Three epochs of three training and two validation batches; uses everything that a session can hold. */
export const small: Experiment = {
  ...backbone(smoke),
  data: { ...smoke.data, subset: { train: 48, valid: 32 }, batchSize: 16 },
  optim: { ...smoke.optim, ema: { momentum: 0.9, updateFreq: 2 } },
  run: { ...smoke.run, epochs: 3 },
};

/** What is bit-identical in two runs of the same seed. */
export const bits = ({ rows, state }: FinishedRun): unknown => ({
  rows: rows.map(figures),
  state,
});
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
/** Number of `time/total` events of a run, over all its event files. */
export const eventsOf = (folder: string): number =>
  readdirSync(folder)
    .filter((name) => name.startsWith('events.out.'))
    .map((name) => readFileSync(join(folder, name), 'latin1').split('time/total').length - 1)
    .reduce((sum, count) => sum + count, 0);

/** Resumes a run on the same images. */
export const resume = (folder: string, more: Partial<ResumeOptions> = {}): Promise<FinishedRun> =>
  resumeRun(folder, { data, ...more });

/** A run that was stopped after `batches` batches, and its error message. */
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

/** For a test file: a folder for its runs, with a whole run of three epochs in it. */
export function useRuns(): {
  readonly path: (...names: string[]) => string;
  readonly whole: () => FinishedRun;
  readonly stopped: (
    logDir: string,
    batches: number,
    more?: Partial<TrainOptions>,
  ) => ReturnType<typeof stoppedRun>;
} {
  const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-train-'));
  const path = (...names: string[]): string => join(root, ...names);
  let whole: FinishedRun;
  beforeAll(async () => {
    whole = await trainExperiment(small, { data, seed: 3, logDir: path('whole') });
  }, long);
  afterAll(() => rmSync(root, { recursive: true }));
  return {
    path,
    whole: () => whole,
    stopped: (logDir, batches, more) => stoppedRun(path(logDir), batches, more),
  };
}
