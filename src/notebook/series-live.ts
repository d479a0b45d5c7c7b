import { InterruptedError, NotebookError } from '../base/errors';
import { interruptSignal, markShown } from '../base/interrupt';
import type { Cifar10 } from '../data/cifar10';
import { hardwareLine, readHardware } from '../engine/hardware';
import type { RunEngine } from '../runs/run';
import { runHyperparameterTrial } from '../studies/hyperparameter-study';
import type { HyperparameterResult, HyperparameterTrial } from '../studies/hyperparameter-study';
import type { Experiment, Scale } from '../catalogue/experiment';
import { followExperiment } from '../studies/weight-decay-study';
import type { FollowedRun } from '../studies/weight-decay-study';
import { durationText } from '../text/progress';
import type { Progress } from '../text/progress';
import { wallClock } from '../train/timer';
import { cellData } from './cell-data';
import { display } from './display';
import type { DisplayHandle } from './display';
import { liveHtml, liveText } from './live-view';
import { wantedScale } from './notebook-scale';
import { TooLong, withinLimit } from './size-limit';
import { counted } from '../text/counted';
import { fixed } from '../text/fixed';

/** How a cell trains many short runs. */
export interface TrialsOptions {
  /** Each trial is trained once per seed, and a search gets the mean accuracy. Default: `[0]`. */
  readonly seeds?: readonly number[];
  /**
   * Earlier results. Trials among them are not trained again, and new results are added at once, so that a stopped cell
   * resumes when it is run again.
   */
  readonly done?: HyperparameterResult[];
  /**
   * The scale, however long it takes. Default: that of `notebookScale`; unless the environment asks for it, a smaller one
   * if it would take longer than `limitSec`.
   */
  readonly scale?: Scale;
  /** Seconds that all runs together may take. Default: 600. */
  readonly limitSec?: number;
  /** Expected trials of a search, to estimate the time left. Default: 22, as in the post's search. */
  readonly expected?: number;
  /** Default: CIFAR-10. */
  readonly data?: Cifar10;
  readonly engine?: RunEngine;
}

/** The trials at a scale: a list, or a search that needs the accuracy of each trial before it yields the next. */
export type TrialsOf = (
  scale: Scale,
) => readonly HyperparameterTrial[] | Generator<HyperparameterTrial, unknown, number>;

/**
 * Trains many short runs in a cell, one after the other, for the accuracy of each: post 5's search, and its maps. Shows the
 * estimated time before it starts, then its progress, in place.
 *
 * The stop button ends it after the current step; given `done`, the cell resumes when it is run again. Keeps nothing on disk.
 *
 * @returns the results, ordered by trial, then by seed
 * @throws InterruptedError if it was stopped
 * @throws NotebookError if there is no trial or no seed
 * @example
 * ```ts
 * const results = await trialsLive((scale) => hyperparameterMap(scale, 'momentum'));
 * ```
 */
export async function trialsLive(
  trialsOf: TrialsOf,
  { seeds = [0], done = [], scale, limitSec = 600, ...options }: TrialsOptions = {},
): Promise<readonly HyperparameterResult[]> {
  const { expected = 22, data: given, engine } = options;
  const screen = openSeriesScreen('trial');
  return screen.follow(given, (surroundings) =>
    withinLimit(
      scale ?? wantedScale(),
      limitSec,
      async (size, most) => {
        const trials = trialsOf(size);
        const source = 'next' in trials ? trials : oneByOne(trials);
        const known = (
          { experiment: { name, scale: own = 'full' } }: HyperparameterTrial,
          seed: number,
        ) =>
          done.find(
            (result) => result.name === name && result.scale === own && result.seed === seed,
          );
        const count =
          'next' in trials
            ? expected * seeds.length
            : trials.flatMap((trial) => seeds.filter((seed) => known(trial, seed) === undefined))
                .length;
        const results: HyperparameterResult[] = [];
        let index = 0;
        for (let at = source.next(0); at.done !== true;) {
          const trial = at.value;
          const own: HyperparameterResult[] = [];
          for (const seed of seeds) {
            let result = known(trial, seed);
            if (result === undefined) {
              result = await surroundings.run(
                { experiment: titled(trial.experiment, seed, seeds), index, count, limitSec: most },
                (watch) =>
                  runHyperparameterTrial(trial, {
                    seed,
                    ...(engine === undefined ? {} : { engine }),
                    ...watch,
                  }),
                ({ accPercent, diverged }) =>
                  diverged === 1 ? 'diverged' : `test accuracy ${fixed(accPercent, 2)} %`,
              );
              done.push(result);
              index += 1;
            }
            own.push(result);
          }
          results.push(...own);
          const hasDiverged = own.some(({ diverged }) => diverged === 1);
          const sum = own.reduce((sum, { accPercent }) => sum + accPercent, 0);
          at = source.next(hasDiverged ? NaN : sum / own.length);
        }
        if (results.length === 0) throw nothingToTrain('trialsLive');
        return results;
      },
      screen.remark,
    ),
  );
}

/** A run to follow, and its name in charts. */
export interface FollowedStart {
  readonly name: string;
  /** At its scale already. */
  readonly experiment: Experiment;
  /** Factor on the initial weights of the convolutions. Default: 1. */
  readonly startScale?: number;
}

/**
 * Trains experiments in a cell and follows their weights step by step. Shows the estimated time before it starts, then its
 * progress, in place. The stop button ends it after the current step. Keeps nothing on disk.
 *
 * @returns the runs in order, each with its name
 * @throws InterruptedError if it was stopped
 * @throws NotebookError if there is nothing to train
 * @throws TrainError if a loss is NaN or infinite
 * @example
 * ```ts
 * const [run] = await followLive([{ name: 'usual', experiment: weightDecayStudy(notebookScale()) }]);
 * ```
 */
export async function followLive(
  starts: readonly FollowedStart[],
  {
    data: given,
    engine,
    seed = 0,
  }: Pick<TrialsOptions, 'data' | 'engine'> & { readonly seed?: number } = {},
): Promise<readonly (FollowedRun & { readonly name: string })[]> {
  const screen = openSeriesScreen('run');
  return screen.follow(given, async (surroundings) => {
    const runs: (FollowedRun & { readonly name: string })[] = [];
    for (const [index, { name, experiment, startScale = 1 }] of starts.entries()) {
      const run = await surroundings.run(
        {
          experiment: { ...experiment, title: name },
          index,
          count: starts.length,
          limitSec: Infinity,
        },
        (watch) =>
          followExperiment(experiment, {
            seed,
            startScale,
            ...(engine === undefined ? {} : { engine }),
            ...watch,
          }),
        ({ rows }) => `test accuracy ${fixed(100 * (rows.at(-1)?.valid.acc ?? 0), 2)} %`,
      );
      runs.push({ ...run, name });
    }
    if (runs.length === 0) throw nothingToTrain('followLive');
    return runs;
  });
}

/** A list as a search that ignores the accuracies. */
function* oneByOne(
  trials: readonly HyperparameterTrial[],
): Generator<HyperparameterTrial, void, number> {
  yield* trials;
}

function titled(experiment: Experiment, seed: number, seeds: readonly number[]): Experiment {
  if (seeds.length === 1) return experiment;
  return { ...experiment, title: `${experiment.title}, seed ${seed}` };
}

function nothingToTrain(name: string): NotebookError {
  return new NotebookError(`${name}: nothing to train. Give at least one run and one seed.`);
}

/** What the screen passes to a run. */
interface RunWatch {
  readonly data: Cifar10;
  readonly signal: AbortSignal;
  readonly onStart: (seconds: number) => void;
  readonly onProgress: (progress: Progress) => void;
}

interface Place {
  readonly experiment: Experiment;
  /** From 0. */
  readonly index: number;
  readonly count: number;
  readonly limitSec: number;
}

/** Trains one run of a series. */
interface Surroundings {
  /** @throws TooLong before the first step of the first run, if all together would take longer than the limit */
  readonly run: <T>(
    place: Place,
    train: (watch: RunWatch) => Promise<T>,
    outcomeOf: (result: T) => string,
  ) => Promise<T>;
}

interface SeriesScreen {
  readonly remark: (text: string) => void;
  /** Loads data, lets `work` train, and shows the outcome. */
  readonly follow: <T>(
    data: Cifar10 | undefined,
    work: (surroundings: Surroundings) => Promise<T>,
  ) => Promise<T>;
}

/** One display for a series of short runs: what is trained, the latest runs, a progress bar, and the time left. */
function openSeriesScreen(noun: 'trial' | 'run'): SeriesScreen {
  const signal = interruptSignal();
  const remarks: string[] = [];
  const log: string[] = [];
  let headline: string | undefined;
  let progress: (Progress & { readonly leftSec: number }) | undefined;
  let [share, note]: [number, string | undefined] = [0, undefined];
  let screen: DisplayHandle | undefined;
  /** How many runs were trained here, and how long they took. */
  let [trained, spentSec] = [0, 0];

  const draw = (): void => {
    const state = {
      headline: [headline ?? `${noun}s`, ...remarks].join('\n'),
      log,
      runs: [],
      share,
      ...(progress === undefined ? {} : { progress }),
      ...(note === undefined ? {} : { note }),
    };
    const bundle = { 'text/html': liveHtml(state), 'text/plain': liveText(state) };
    screen = display(bundle, screen === undefined ? {} : { update: screen });
  };

  const runIn =
    (data: Cifar10): Surroundings['run'] =>
    async ({ experiment, index, count, limitSec }, train, outcomeOf) => {
      const start = wallClock();
      let runSec = trained === 0 ? 0 : spentSec / trained;
      const { epochs } = experiment.run;
      const result = await train({
        data,
        signal,
        onStart(seconds) {
          const setUpSec = wallClock() - start;
          if (trained === 0) runSec = setUpSec + seconds;
          if (headline === undefined) {
            const totalSec = (count - index) * runSec;
            if (totalSec > limitSec) throw new TooLong(totalSec);
            headline = describe(experiment, noun, count - index, totalSec);
          }
          draw();
        },
        onProgress(now) {
          const leftSec = Math.max(0, (count - index) * runSec - (wallClock() - start));
          progress = { ...now, leftSec };
          share = (index + (now.epoch - 1 + now.done / now.total) / epochs) / count;
          draw();
        },
      });
      trained += 1;
      const seconds = wallClock() - start;
      spentSec += seconds;
      share = (index + 1) / count;
      log.push(`${index + 1}: ${experiment.title}: ${outcomeOf(result)}, ${seconds.toFixed(1)} s`);
      draw();
      return result;
    };

  return {
    remark(text) {
      remarks.push(text);
      draw();
    },
    async follow(given, work) {
      try {
        const result = await work({ run: runIn(given ?? (await cellData(signal))) });
        const all = `${counted(trained, noun)} in ${durationText(spentSec)}`;
        note = trained === 0 ? 'nothing to train: all results already exist' : all;
        share = 1;
        draw();
        return result;
      } catch (error) {
        note = reasonOf(error, counted(trained, noun));
        draw();
        throw error instanceof InterruptedError ? markShown(error) : error;
      }
    },
  };
}

function describe(
  { run, data, net, scale = 'full' }: Experiment,
  noun: string,
  count: number,
  totalSec: number,
): string {
  const images = data.subset === undefined ? '50,000' : data.subset.train.toLocaleString('en');
  return (
    `${counted(count, noun)} at ${scale} scale: ${counted(run.epochs, 'epoch')} of ${images} images, ` +
    `widths ${Object.values(net.channels).join('/')}\n` +
    `about ${durationText(totalSec)} on ${hardwareLine(readHardware())}`
  );
}

/** Why a series ended early, and what was trained before it was stopped. */
function reasonOf(error: unknown, trained: string): string {
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof InterruptedError ? `${text} Finished before: ${trained}.` : text;
}
