import { dirname, resolve } from 'node:path';
import { RunError } from '../base/errors';
import type { Experiment } from '../catalogue/experiment';
import { overridden } from '../catalogue/override';
import { secondsIn } from './checkpoint';
import { readEnd } from './find-runs';
import { loadOver } from './load';
import { configOf, differences, planAfter } from './run';
import type { FinishedRun, PlannedRun } from './run';
import { readPlan } from './run-file';
import { createStore } from './store';
import { trainToEnd } from './train-to-end';
import type { RunOptions } from './train-to-end';

/** How {@link extendRun} trains. */
export interface ExtendOptions extends RunOptions {
  /** Epochs to add, an integer from 1. */
  readonly epochs: number;
  /** The folder in which the longer run's folder is created. Default: that of the finished run. */
  readonly logDir?: string;
}

/**
 * Trains a finished run further: a new run, in a folder of its own, that starts from the last checkpoint of the finished
 * run. The finished run is not changed.
 *
 * All schedules are stretched to the new length, as by `overridden(experiment, 'run.epochs', …)`, and resume where the finished
 * epochs end: 4 epochs after 24 use the learning rates of the last seventh of a run of 28 epochs. A fractional last epoch counts
 * as a whole one. The result is therefore neither that of a run of 24 epochs nor of one of 28, and its overrides contain
 * `run.epochs=24+4`. `run.json` names the finished run under `continues`.
 *
 * @param path of the finished run's folder
 * @throws RunError if the folder holds no finished run, or one that diverged or had a budget, or lacks its final checkpoint
 * @throws DivergedError, InterruptedError as `trainExperiment`; the new run can be resumed
 */
export async function extendRun(
  path: string,
  { epochs, logDir = dirname(resolve(path)), ...options }: ExtendOptions,
): Promise<FinishedRun> {
  const folder = resolve(path);
  const before = await readPlan(folder);
  checkExtensible(folder, before, epochs);
  const { checkpoint, result } = await readEnd(folder, before);
  const { snapshot, rows } = checkpoint;
  const experiment = longer(before.experiment, rows.length, epochs);
  const load = loadOver(secondsIn(checkpoint), before.load);
  const plan = { ...planAfter(before, experiment, options.data), load, rows };
  const changed = differences(before, plan);
  const continues = {
    run: folder,
    epochs: rows.length,
    accPercent: result.accPercent,
    ...(changed.length === 0 ? {} : { differences: changed }),
  };
  const from = { snapshot, rows, load, config: configOf(plan) };
  const { checkpoints = before.checkpoints ?? 2 } = options;
  return trainToEnd(
    { ...plan, continues },
    options,
    (run) => createStore(logDir, run, checkpoints, from),
    from,
  );
}

/** The experiment with `more` epochs after the `trained` ones. */
function longer(experiment: Experiment, trained: number, more: number): Experiment {
  const { overrides = [] } = experiment;
  return {
    ...overridden(experiment, 'run.epochs', trained + more),
    overrides: [...overrides, `run.epochs=${trained}+${more}`],
  };
}

/** @throws RunError if a run cannot be trained further, with the reason and an alternative */
function checkExtensible(folder: string, run: PlannedRun, epochs: number): void {
  const refuse = (reason: string, repair: string): never => {
    throw new RunError(`run: ${folder} ${reason}, so it cannot be trained further. ${repair}`);
  };
  if (!Number.isSafeInteger(epochs) || epochs < 1) {
    refuse(`was asked for ${epochs} more epochs`, 'Give a whole number of at least 1.');
  }
  const at = run.result?.divergedIn ?? run.failure?.epoch;
  if (at !== undefined)
    refuse(`diverged in epoch ${at}`, 'Train it again with a lower learning rate.');
  if (run.result === undefined) refuse('is not finished', 'Resume it first, without --epochs.');
  if (run.budget !== undefined) {
    refuse('was trained with a time budget', 'Train it again with a larger budget.');
  }
}
