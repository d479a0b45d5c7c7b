import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { InterruptedError, NotebookError } from '../base/errors';
import { interruptSignal, markShown } from '../base/interrupt';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { findExperiment } from '../catalogue/catalogue';
import type { Experiment, Scale } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';
import { findAnyRuns, findFinished } from '../runs/find-runs';
import type { FinishedRun, PlannedRun } from '../runs/run';
import { resumeRun, trainExperiment } from '../runs/train';
import { TrainerCache } from '../runs/trainer-cache';
import type { Expected } from '../runs/train-to-end';
import { cellData } from './cell-data';
import { openLiveScreen } from './live-screen';
import type { LiveScreen, SeenRun } from './live-screen';
import { wantedScale } from './notebook-scale';
import { TooLong, withinLimit } from './size-limit';

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
  /**
   * Whether runs that are finished there, and are the ones that are wanted, are taken in place of training them again:
   * the same record, size, seed, data, mode and precision. Where absent, what `CIFAR10_FAST_REUSE` says: 1 for yes.
   */
  readonly reuse?: boolean;
}

/** A record, by name or as it is. */
export type ExperimentOrName = string | Experiment;

/**
 * Trains records in a cell, and shows how it goes: before it starts, what is trained and how long it will take; then, about
 * once a second, progress, a table and curves, in place. In the end the table stays, and the curves become a chart.
 *
 * The stop button ends the run after the step that it is at; the output says where, and {@link resumeLive} goes on. Runs are kept as those of the command
 * line are, and taken again where {@link LiveOptions.reuse} asks for it; a line says of each that it was finished before.
 * Works in our kernel, in stock tslab, and where nobody watches.
 *
 * @returns the finished runs, record by record, for each its seeds
 * @throws InterruptedError if it was stopped
 * @throws NotebookError if no record or no seed is given, or `CIFAR10_FAST_REUSE` is neither 0 nor 1
 * @throws ExperimentError, TrainError, DataError, RunError as `trainExperiment` and `loadCifar10` do
 * @example
 * ```ts
 * const runs = await trainLive('demo', { seeds: [0, 1] });
 * ```
 */
export async function trainLive(
  records: ExperimentOrName | readonly ExperimentOrName[],
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
  return follow({ jobs, options, runs: [] });
}

/**
 * Goes on with what {@link trainLive} was training when it was stopped, from the step at which it stopped: the same runs, to
 * the same bits as if nothing had been. It may be stopped again.
 *
 * The library remembers the last series that was stopped, as the cell that was stopped cannot keep it: tslab knows nothing of
 * what that cell declared. After a restart of the kernel, `resumeRun` or `npx cifar10-fast train --resume` goes on with a
 * run from its folder.
 *
 * @returns all finished runs of the series, those that were finished before included
 * @throws NotebookError if nothing was stopped
 * @throws InterruptedError, TrainError, RunError as {@link trainLive}
 * @example
 * ```ts
 * const runs = await resumeLive();
 * ```
 */
export async function resumeLive(): Promise<readonly FinishedRun[]> {
  if (stopped === undefined) {
    throw new NotebookError(
      'resumeLive: nothing was stopped since this kernel began. Train something, with trainLive.',
    );
  }
  return follow(stopped);
}

/** What resumes it in a cell of its own, whatever was imported before. */
const howToResume = "import { resumeLive } from 'cifar10-fast'; await resumeLive();";

/** What was stopped last, and not gone on with. */
let stopped: Series | undefined;

/** Runs that are trained one after the other, and how far that has come. */
interface Series {
  readonly jobs: readonly Job[];
  readonly options: LiveOptions;
  /** Those that are finished, each in the place of its job. */
  runs: (FinishedRun | undefined)[];
  /** Once it is settled. */
  scale?: Scale;
  /** Of the run that was stopped. */
  folder?: string;
  /** What the screen showed then. */
  seen?: readonly SeenRun[];
}

/** One training of one record. */
interface Job {
  readonly record: Experiment;
  readonly seed: number;
  /** What tells it from the others. */
  readonly name: string;
}

/** What is the same for all runs while they are followed. */
interface Surroundings {
  readonly data: Cifar10;
  readonly signal: AbortSignal;
  readonly screen: LiveScreen;
}

/** Trains what is left of a series, in a new screen. */
async function follow(series: Series): Promise<readonly FinishedRun[]> {
  const signal = interruptSignal();
  const names = series.jobs.map(({ name }) => name);
  const screen = openLiveScreen(names, series.seen);
  try {
    const data = series.options.data ?? (await cellData(signal));
    const asked = series.scale ?? series.options.scale ?? wantedScale();
    await withinLimit(
      asked,
      series.options.limitSec ?? 600,
      (scale, limitSec) => trainAll(series, { data, signal, screen }, scale, limitSec),
      (text) => screen.remark(text),
    );
    if (stopped === series) stopped = undefined;
    const runs = series.runs.filter((run) => run !== undefined);
    await screen.finish(runs);
    return runs;
  } catch (error) {
    const isStopped = error instanceof InterruptedError;
    if (isStopped) {
      series.seen = screen.runs();
      stopped = series;
    }
    screen.fail(error, isStopped ? ` In a notebook, resume with: ${howToResume}` : '');
    throw isStopped ? markShown(error) : error;
  }
}

function isList(
  records: ExperimentOrName | readonly ExperimentOrName[],
): records is readonly ExperimentOrName[] {
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

/** Whether the environment asks for runs that are finished. @throws NotebookError if it says something else */
function wantsReuse(): boolean {
  const wanted = process.env['CIFAR10_FAST_REUSE'] ?? '';
  if (['', '0', '1'].includes(wanted)) return wanted === '1';
  throw new NotebookError(
    `CIFAR10_FAST_REUSE is "${wanted}". Set it to 1 to take runs that are finished, or to 0 to train all of them.`,
  );
}

/** Trains what is left, one after the other. @throws TooLong if all together would take longer than `limitSec` */
async function trainAll(
  series: Series,
  { data, signal, screen }: Surroundings,
  scale: Scale,
  limitSec: number,
): Promise<void> {
  const { jobs, options } = series;
  const { engine, logDir = process.env['CIFAR10_FAST_RUNS'] ?? defaultLogDir() } = options;
  const planned = jobs.map(({ record, seed }) => {
    const experiment = record.scale === undefined ? scaled(record, scale) : record;
    return { experiment, data, seed, ...(engine === undefined ? {} : { engine }) };
  });
  if (series.scale === undefined && (options.reuse ?? wantsReuse())) {
    const stored = await findAnyRuns(logDir);
    const found: Awaited<ReturnType<typeof findFinished>>[] = [];
    for (const wanted of planned) {
      signal.throwIfAborted();
      found.push(await findFinished(stored, wanted));
    }
    series.runs = found.map(({ run }) => run);
    screen.take(found);
  }
  // Seeds of one experiment share what is recorded and measured.
  const trainers = new TrainerCache();
  try {
    for (const [index, { experiment, ...how }] of planned.entries()) {
      if (series.runs[index] !== undefined) continue;
      const before = series.folder;
      const { onStart, ...watch } = screen.begin(index, experiment.run.epochs);
      const followed = {
        data,
        signal,
        trainers,
        ...watch,
        onStart: (run: PlannedRun, { epochSec }: Expected): void => {
          if (run.path !== undefined) series.folder = run.path;
          const totalSec = onStart(run, epochSec);
          if (series.scale === undefined && totalSec > limitSec) throw new TooLong(totalSec);
          series.scale = scale;
        },
      };
      try {
        series.runs[index] =
          before === undefined
            ? await trainExperiment(experiment, { logDir, ...how, ...followed })
            : await resumeRun(before, followed);
        delete series.folder;
      } catch (error) {
        if (error instanceof TooLong && series.folder !== undefined) {
          // Nothing was trained yet: the folder that was made for it goes again.
          await rm(series.folder, { recursive: true });
          delete series.folder;
        }
        throw error;
      }
    }
  } finally {
    trainers.dispose();
  }
}
