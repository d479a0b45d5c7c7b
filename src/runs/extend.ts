import { dirname, resolve } from 'node:path';
import { RunError } from '../base/errors';
import type { Experiment } from '../catalogue/experiment';
import { overridden } from '../catalogue/override';
import { readEnd } from './find-runs';
import { configOf, differences, planAfter } from './run';
import type { FinishedRun, PlannedRun } from './run';
import { readPlan } from './run-file';
import { createStore } from './store';
import { trainToEnd } from './train-to-end';
import type { RunOptions } from './train-to-end';

/** How {@link extendRun} trains. */
export interface ExtendOptions extends RunOptions {
  /** Epochs that are added, an integer from 1. */
  readonly epochs: number;
  /** Where the folder of the longer run is made. Default: beside that of the run. */
  readonly logDir?: string;
}

/**
 * Trains a finished run further: a new run, in a folder of its own, that starts from the last checkpoint of the finished
 * one, which stays as it is.
 *
 * All schedules are stretched to the new length, as `overridden(experiment, 'run.epochs', …)` does it, and read from where the
 * finished epochs end: 4 epochs after 24 train with the rates that the last seventh of a run of 28 epochs has. A last epoch that
 * was a fraction counts as a whole one. So the result is neither that of a run of 24 epochs nor of one of 28, and its overrides
 * say `run.epochs=24+4`. `run.json` names the finished run under `continues`.
 *
 * @param path of the finished run's folder
 * @throws RunError if the folder holds no finished run, or one that diverged or had a budget, or not the checkpoint of its end
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
  const plan = { ...planAfter(before, experiment, options.data), rows };
  const changed = differences(before, plan);
  const continues = {
    run: folder,
    epochs: rows.length,
    accPercent: result.accPercent,
    ...(changed.length === 0 ? {} : { differences: changed }),
  };
  const from = { snapshot, rows, config: configOf(plan) };
  const { checkpoints = before.checkpoints ?? 2 } = options;
  return trainToEnd(
    { ...plan, continues },
    options,
    (run) => createStore(logDir, run, checkpoints, from),
    from,
  );
}

/** The experiment with so many more epochs than were trained. */
function longer(experiment: Experiment, trained: number, more: number): Experiment {
  const { overrides = [] } = experiment;
  return {
    ...overridden(experiment, 'run.epochs', trained + more),
    overrides: [...overrides, `run.epochs=${trained}+${more}`],
  };
}

/** @throws RunError if a run cannot be trained further; says why and what can be done instead */
function checkExtensible(folder: string, run: PlannedRun, epochs: number): void {
  const refuse = (reason: string, repair: string): never => {
    throw new RunError(`run: ${folder} ${reason}, so it cannot be trained further. ${repair}`);
  };
  if (!Number.isSafeInteger(epochs) || epochs < 1) {
    refuse(`was asked for ${epochs} more epochs`, 'Give a whole number of at least 1.');
  }
  const at = run.result?.divergedIn ?? run.failure?.epoch;
  if (at !== undefined) refuse(`diverged in epoch ${at}`, 'Train it again with a lower rate.');
  if (run.result === undefined) refuse('is not finished', 'Resume it first, without --epochs.');
  if (run.budget !== undefined) {
    refuse('was fitted into a budget of time', 'Train it again with a larger budget.');
  }
}
