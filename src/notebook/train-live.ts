import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { NotebookError } from '../base/errors';
import { interruptSignal } from '../base/interrupt';
import { loadCifar10 } from '../data/cifar10';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { findExperiment } from '../experiments/catalogue';
import { scales } from '../experiments/record';
import type { Experiment, Scale } from '../experiments/record';
import { scaled } from '../experiments/scale';
import { trainRecord } from '../experiments/train-record';
import type { FinishedRun } from '../experiments/train-record';
import { durationText } from '../report/progress';
import { openLiveScreen } from './live-screen';
import type { LiveScreen } from './live-screen';
import { notebookScale, wantedScale } from './notebook-scale';

/** How records are trained in a cell. */
export interface LiveOptions {
  /** Each record is trained once for each; `[0]` where absent. */
  readonly seeds?: readonly number[];
  /**
   * The size, whatever it takes. Where absent, that of {@link notebookScale}; unless the environment asks for it, a smaller one
   * where that would take longer than `limitSec`.
   */
  readonly scale?: Scale;
  /** Seconds that all runs together may take; 600 where absent. */
  readonly limitSec?: number;
  /** Loaded where absent. */
  readonly data?: Cifar10;
  readonly engine?: SessionOptions;
  /** Where runs are kept: `runs` beside the nearest `package.json` where absent. */
  readonly logDir?: string;
}

/** A record, by name or as it is. */
export type RecordOrName = string | Experiment;

/**
 * Trains records in a cell, and shows how it goes: before it starts, what is trained and how long it will take; then, about
 * once a second, progress, a table and curves, in place. In the end the table stays, and the curves become a chart.
 *
 * The stop button ends the run after the step that it is at; the output says where. Runs are kept as those of the command
 * line are. Works in our kernel, in stock tslab, and where nobody watches.
 *
 * @returns the finished runs, record by record, for each its seeds
 * @throws InterruptedError if it was stopped
 * @throws ExperimentError, TrainError, DataError, RunError as `trainRecord` and `loadCifar10` do
 * @example
 * ```ts
 * const runs = await trainLive('demo', { seeds: [0, 1] });
 * ```
 */
export async function trainLive(
  records: RecordOrName | readonly RecordOrName[],
  options: LiveOptions = {},
): Promise<readonly FinishedRun[]> {
  const given = isList(records) ? records : [records];
  const { seeds = [0] } = options;
  if (given.length === 0 || seeds.length === 0) {
    throw new NotebookError(
      'trainLive: there is nothing to train. Give at least one record and one seed.',
    );
  }
  const found = given.map((record) =>
    typeof record === 'string' ? findExperiment(record) : record,
  );
  const jobs = found.flatMap((record) =>
    seeds.map((seed) => ({ record, seed, name: nameOf(record, seed, found.length, seeds.length) })),
  );
  const signal = interruptSignal();
  const screen = openLiveScreen(jobs.map(({ name }) => name));
  try {
    const data = options.data ?? (await loadCifar10({ signal }));
    const runs = await trainSized(jobs, { ...options, data, signal }, screen);
    await screen.finish(runs);
    return runs;
  } catch (error) {
    screen.fail(error, 'Run the cell again to start anew.');
    throw error;
  }
}

/** One training of one record. */
interface Job {
  readonly record: Experiment;
  readonly seed: number;
  /** What tells it from the others. */
  readonly name: string;
}

function isList(
  records: RecordOrName | readonly RecordOrName[],
): records is readonly RecordOrName[] {
  return Array.isArray(records);
}

function nameOf({ name }: Experiment, seed: number, records: number, seeds: number): string {
  if (records === 1) return `seed ${seed}`;
  return seeds === 1 ? name : `${name}, seed ${seed}`;
}

/** Where runs are kept: beside the nearest `package.json`, so that a notebook's are with those of the command line. */
function defaultLogDir(): string {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, 'runs');
    if (dirname(folder) === folder) return resolve('runs');
  }
}

interface Surroundings extends LiveOptions {
  readonly data: Cifar10;
  readonly signal: AbortSignal;
}

/** Trains in the size that is asked for or else, from the one that suits the machine downwards, one that is short enough. */
async function trainSized(
  jobs: readonly Job[],
  options: Surroundings,
  screen: LiveScreen,
): Promise<FinishedRun[]> {
  const asked = options.scale ?? wantedScale();
  const { limitSec = 600 } = options;
  let scale = asked ?? notebookScale();
  for (;;) {
    const smaller = scales[scales.indexOf(scale) - 1];
    const isLast = asked !== undefined || smaller === undefined;
    try {
      const limit = isLast ? Infinity : limitSec;
      return await trainAll(jobs, { ...options, scale, limitSec: limit }, screen);
    } catch (error) {
      if (!(error instanceof TooLong)) throw error;
      screen.remark(
        `${scale} size would take ${durationText(error.totalSec)} here, a cell takes ${durationText(limitSec)} at most: ` +
          `${smaller} size instead (CIFAR10_FAST_SCALE=${scale} asks for the other)`,
      );
      scale = smaller;
    }
  }
}

/** Says that runs would take too long, before the first step of the first one. */
class TooLong extends Error {
  readonly totalSec: number;

  constructor(totalSec: number) {
    super(`${totalSec} s are too long`);
    this.totalSec = totalSec;
  }
}

/** Trains one after the other. @throws TooLong if all together would take longer than `limitSec` */
async function trainAll(
  jobs: readonly Job[],
  {
    data,
    signal,
    engine,
    ...options
  }: Surroundings & { readonly scale: Scale; readonly limitSec: number },
  screen: LiveScreen,
): Promise<FinishedRun[]> {
  const { scale, limitSec, logDir = process.env['CIFAR10_FAST_RUNS'] ?? defaultLogDir() } = options;
  const runs: FinishedRun[] = [];
  for (const [index, { record, seed }] of jobs.entries()) {
    const experiment = record.scale === undefined ? scaled(record, scale) : record;
    const { onStart, ...watch } = screen.begin(index, experiment.run.epochs);
    let folder: string | undefined;
    try {
      const run = await trainRecord(experiment, {
        data,
        seed,
        signal,
        logDir,
        ...(engine === undefined ? {} : { engine }),
        ...watch,
        onStart: (start) => {
          ({ folder } = start);
          const totalSec = onStart(start);
          if (index === 0 && totalSec > limitSec) throw new TooLong(totalSec);
        },
      });
      runs.push(run);
    } catch (error) {
      // Nothing was trained yet: the folder that was made for it goes again.
      if (error instanceof TooLong && folder !== undefined) await rm(folder, { recursive: true });
      throw error;
    }
  }
  return runs;
}
