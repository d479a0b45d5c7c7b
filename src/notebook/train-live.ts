import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { InterruptedError, NotebookError } from '../base/errors';
import { interruptSignal, markShown } from '../base/interrupt';
import type { Cifar10 } from '../data/cifar10';
import { findExperiment } from '../catalogue/catalogue';
import type { Experiment, Scale } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';
import { findAnyRuns, findFinished } from '../runs/find-runs';
import type { FinishedRun, PlannedRun, RunEngine } from '../runs/run';
import { resumeRun, trainExperiment } from '../runs/train';
import { TrainerCache } from '../runs/trainer-cache';
import type { Expected } from '../runs/train-to-end';
import { cellData } from './cell-data';
import { openLiveScreen } from './live-screen';
import type { LiveScreen, SeenRun } from './live-screen';
import { wantedScale } from './notebook-scale';
import { TooLong, withinLimit } from './size-limit';

/** How a cell trains experiments. */
export interface LiveOptions {
  /** Each experiment is trained once per seed. Default: `[0]`. */
  readonly seeds?: readonly number[];
  /**
   * The scale, however long it takes. Default: that of {@link notebookScale}; unless the environment asks for it, a smaller one
   * if it would take longer than `limitSec`.
   */
  readonly scale?: Scale;
  /** Seconds that all runs together may take. Default: 600. */
  readonly limitSec?: number;
  /** Default: CIFAR-10. */
  readonly data?: Cifar10;
  readonly engine?: RunEngine;
  /** The folder of runs. Default: `CIFAR10_FAST_RUNS`, else `runs` beside the nearest `package.json`. */
  readonly logDir?: string;
  /**
   * Whether to reuse finished runs in that folder instead of training them again, if they have the same experiment, scale,
   * seed, data, mode and precision. Default: whether `CIFAR10_FAST_REUSE` is 1.
   */
  readonly reuse?: boolean;
}

/** An experiment, or its name. */
export type ExperimentOrName = string | Experiment;

/**
 * Trains experiments in a cell and shows their progress: before it starts, what is trained and the estimated time; then, about
 * once a second, progress, a table and curves, in place. At the end, the table stays and the curves become a chart.
 *
 * The stop button ends the run after the current step; the output says where, and {@link resumeLive} resumes. Runs are stored
 * like those of the command line, and reused if {@link LiveOptions.reuse} asks for it; a line names each run that was finished
 * before. Works in our kernel, in stock tslab, and outside a notebook.
 *
 * @returns the finished runs, ordered by experiment, then by seed
 * @throws InterruptedError if it was stopped
 * @throws NotebookError if no experiment or no seed is given, or `CIFAR10_FAST_REUSE` is neither 0 nor 1
 * @throws ExperimentError, TrainError, DataError, RunError as `trainExperiment` and `loadCifar10` do
 * @example
 * ```ts
 * const runs = await trainLive('demo', { seeds: [0, 1] });
 * ```
 */
export async function trainLive(
  experiments: ExperimentOrName | readonly ExperimentOrName[],
  options: LiveOptions = {},
): Promise<readonly FinishedRun[]> {
  const given = isList(experiments) ? experiments : [experiments];
  const { seeds = [0] } = options;
  if (given.length === 0 || seeds.length === 0) {
    throw new NotebookError(
      'trainLive: nothing to train. Give at least one experiment and one seed.',
    );
  }
  const found = given.map((one) => (typeof one === 'string' ? findExperiment(one) : one));
  const jobs = found.flatMap((experiment) =>
    seeds.map((seed) => {
      const name = nameOf(experiment, seed, found.length, seeds.length);
      return { experiment, seed, name };
    }),
  );
  return follow({ jobs, options, runs: [] });
}

/**
 * Resumes what {@link trainLive} was training when it was stopped, from the step at which it stopped. The runs are
 * bit-identical to those of an uninterrupted training. It may be stopped again.
 *
 * The library keeps the last series that was stopped, because the stopped cell cannot: tslab discards what that cell
 * declared. After a restart of the kernel, `resumeRun` or `npx cifar10-fast train --resume` resumes a run from its folder.
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
      'resumeLive: no training was stopped since this kernel started. Start one with trainLive.',
    );
  }
  return follow(stopped);
}

/** The code that resumes it in a new cell, whatever was imported before. */
const howToResume = "import { resumeLive } from 'cifar10-fast'; await resumeLive();";

/** The last series that was stopped and has not been resumed to its end. */
let stopped: Series | undefined;

/** Runs that are trained one after the other, and their progress. */
interface Series {
  readonly jobs: readonly Job[];
  readonly options: LiveOptions;
  /** The finished runs, by the index of their job. */
  runs: (FinishedRun | undefined)[];
  /** Set once it is decided. */
  scale?: Scale;
  /** The folder of the run that was stopped. */
  folder?: string;
  /** The runs as the screen showed them when the series was stopped. */
  seen?: readonly SeenRun[];
}

/** One training of one experiment. */
interface Job {
  readonly experiment: Experiment;
  readonly seed: number;
  /** Its name among the jobs: experiment, seed or both. */
  readonly name: string;
}

/** What all runs share while they are followed. */
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
      canShrink(series.jobs) ? (series.options.limitSec ?? 600) : Infinity,
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

/** Whether a smaller scale would make the jobs shorter: not those that have a scale, and a changed experiment gets none. */
function canShrink(jobs: readonly Job[]): boolean {
  const without = jobs.filter(({ experiment }) => experiment.scale === undefined);
  return (
    without.length > 0 &&
    without.every(({ experiment: { overrides = [] } }) => overrides.length === 0)
  );
}

function isList(
  experiments: ExperimentOrName | readonly ExperimentOrName[],
): experiments is readonly ExperimentOrName[] {
  return Array.isArray(experiments);
}

function nameOf({ name }: Experiment, seed: number, experiments: number, seeds: number): string {
  if (experiments === 1) return `seed ${seed}`;
  return seeds === 1 ? name : `${name}, seed ${seed}`;
}

/**
 * The default folder of runs: `CIFAR10_FAST_RUNS`, else one beside the nearest `package.json`, so that notebooks and the
 * command line share it.
 */
function defaultLogDir(): string {
  const named = process.env['CIFAR10_FAST_RUNS'] ?? '';
  if (named !== '') return named;
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, 'runs');
    if (dirname(folder) === folder) return resolve('runs');
  }
}

/** Whether the environment asks to reuse finished runs. @throws NotebookError if `CIFAR10_FAST_REUSE` is neither 0 nor 1 */
function wantsReuse(): boolean {
  const wanted = process.env['CIFAR10_FAST_REUSE'] ?? '';
  if (['', '0', '1'].includes(wanted)) return wanted === '1';
  throw new NotebookError(
    `CIFAR10_FAST_REUSE is "${wanted}". Set it to 1 to reuse finished runs, or to 0 to train all runs.`,
  );
}

/** Trains the remaining runs one after the other. @throws TooLong if all together would take longer than `limitSec` */
async function trainAll(
  series: Series,
  { data, signal, screen }: Surroundings,
  scale: Scale,
  limitSec: number,
): Promise<void> {
  const { jobs, options } = series;
  const { engine, logDir = defaultLogDir() } = options;
  const planned = jobs.map(({ experiment: given, seed }) => {
    const experiment = given.scale === undefined ? scaled(given, scale) : given;
    return { experiment, data, seed, ...(engine === undefined ? {} : { engine }) };
  });
  if (series.scale === undefined && (options.reuse ?? wantsReuse())) {
    const stored = await findAnyRuns(logDir, { onNotice: (text) => screen.remark(text) });
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
          // Nothing was trained yet, so the folder that was created for it is removed.
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
