import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { byName } from '../base/by-name';
import { Cifar10FastError, RunError } from '../base/errors';
import type { Experiment } from '../catalogue/experiment';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { readNamedCheckpoint, sortCheckpoints } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import { deviceOf } from './execution';
import { isFolder } from './folder';
import { configOf, planRun } from './run';
import type { FinishedRun, PlannedRun, Result, Run } from './run';
import { parseResult, readPlan, readRun } from './run-file';
import { ifMissing, textIfAny } from './run-text';

/** `results/` of the checkout or the package: the stored results of this project. */
export const resultsFolder: string = join(__dirname, '../../results');

/** Options of {@link findRuns}. */
export interface FindOptions {
  /**
   * Called with a sentence about each damaged run of a folder of runs, and about each JSON file in it that has an accuracy but
   * is no stored result, such as the output of `report --json`. They are skipped. Default: an error.
   */
  readonly onNotice?: (text: string) => void;
}

/**
 * Reads runs. Each path is a run's folder, a folder of such folders, a file like those in `results/`, or a folder of such
 * files. Runs are returned in the order of the paths, and within a folder by name, without duplicates.
 *
 * @throws RunError if a path does not exist, holds no run, or is a damaged one
 */
export async function findRuns(
  paths: readonly string[],
  options: FindOptions = {},
): Promise<Run[]> {
  const found = new Map<string, Run>();
  for (const path of paths) {
    const runs = await runsAt(path, options);
    if (runs.length === 0) {
      throw new RunError(
        `report: ${path} has no run: no run.json, and no folder with one. Name the folder of a run, or the ` +
          'folder of several, as --log-dir named it.',
      );
    }
    for (const run of runs) {
      const place = resolve(run.path ?? '');
      if (!found.has(place)) found.set(place, run);
    }
  }
  return [...found.values()];
}

/**
 * The runs of a folder; none if it does not exist or holds no run.
 *
 * @throws RunError if the folder cannot be read, or is a damaged run
 */
export async function findAnyRuns(folder: string, options: FindOptions = {}): Promise<Run[]> {
  const found = await stat(folder).catch((cause: unknown) => ifMissing(folder, cause));
  return found?.isDirectory() === true ? runsAt(folder, options) : [];
}

/** The run that {@link isSameRun} compares with: trained from the start, without a time budget. */
export interface Wanted
  extends Pick<Run, 'seed' | 'mode' | 'precision' | 'xla'>, Required<Pick<Run, 'device'>> {
  /** At its scale, with its overrides. */
  readonly experiment: Experiment;
  /** Default: any number of threads. */
  readonly intraOpThreads?: number;
}

/**
 * Whether a run trains the same network on the same data with the same optimiser and seed, executed in the same way. A run
 * with a time budget, or one that continues another, never does: its schedule is neither that of the experiment nor known
 * from its values.
 */
export function isSameRun(run: Run, { experiment, intraOpThreads, ...how }: Wanted): boolean {
  const decisive = ({ net, loss, data, optim, run }: Experiment): string =>
    JSON.stringify([net, loss, data, optim, run]);
  return (
    run.name === experiment.name &&
    run.scale === (experiment.scale ?? 'full') &&
    run.seed === how.seed &&
    run.mode === how.mode &&
    run.precision === how.precision &&
    run.xla === how.xla &&
    deviceOf(run) === how.device &&
    run.budget === undefined &&
    run.continues === undefined &&
    (intraOpThreads === undefined || run.threads === intraOpThreads) &&
    run.experiment !== undefined &&
    decisive(run.experiment) === decisive(experiment)
  );
}

/** The run that {@link findFinished} looks for. */
export interface FinishedWanted {
  /** At its scale, with its overrides. */
  readonly experiment: Experiment;
  readonly data: Cifar10;
  readonly seed: number;
  readonly engine?: SessionOptions;
}

/**
 * Finds the newest finished run with the same experiment, scale, seed, data, mode, precision, device and use of XLA, without
 * a time budget, and not continued from another. Processor, threads and versions may differ.
 *
 * The weights are read from the last checkpoint; if the run diverged, that is of its last whole epoch. An incomplete run is
 * skipped. No folder is changed.
 *
 * @returns `reason`: why the newest matching run was skipped, if there is no other
 * @throws EngineError if TensorFlow does not load, or already runs with another number of threads in this process
 */
export async function findFinished(
  stored: readonly Run[],
  { experiment, data, seed, engine = {} }: FinishedWanted,
): Promise<{ readonly run?: FinishedRun; readonly reason?: string }> {
  const named = stored.filter(
    (run) => run.result !== undefined && run.name === experiment.name && run.seed === seed,
  );
  // planRun hashes all images, so skip it if no run can match.
  if (named.length === 0) return {};
  const plan = planRun(experiment, data, seed, engine);
  const same = named.filter((run) => isSameRun(run, plan));
  same.sort((a, b) => (a.started < b.started ? 1 : -1));
  let reason: string | undefined;
  for (const { path = '' } of same) {
    try {
      const found = await readPlan(path);
      if (found.dataSha256 !== plan.dataSha256) continue;
      return { run: await readFinished(resolve(path), found) };
    } catch (error) {
      if (!(error instanceof Cifar10FastError)) throw error;
      reason ??= error.message;
    }
  }
  return reason === undefined ? {} : { reason };
}

/** A finished run with its weights. @throws RunError, DataError if its final checkpoint is missing, damaged or of another run */
async function readFinished(path: string, plan: PlannedRun): Promise<FinishedRun> {
  const { algorithms = [], preprocessSec = 0 } = plan;
  const { checkpoint, result } = await readEnd(path, plan);
  const { snapshot, rows } = checkpoint;
  return { ...plan, path, algorithms, preprocessSec, rows, result, state: snapshot.learnt };
}

/**
 * The final checkpoint of a finished run, and its result; changes nothing in the folder.
 *
 * @throws RunError, DataError if the run is not finished, or its last checkpoint is missing, damaged or not the final one
 */
export async function readEnd(
  path: string,
  plan: PlannedRun,
): Promise<{ readonly checkpoint: Checkpoint; readonly result: Result }> {
  const { result } = plan;
  const [last] = sortCheckpoints(await readdir(path));
  if (result === undefined || last === undefined) {
    const what = last === undefined ? 'checkpoint, so its weights are lost' : 'result';
    throw new RunError(`run: ${path} has no ${what}. Train the experiment again.`);
  }
  const checkpoint = readNamedCheckpoint(last, join(path, last));
  const { snapshot, rows, config } = checkpoint;
  const isEnd = snapshot.unfinished === undefined && rows.length === result.epochs;
  if (!isEnd || config !== configOf(plan)) {
    throw new RunError(
      `run: ${last} in ${path} is not the final checkpoint of that run. Train the experiment again.`,
    );
  }
  return { checkpoint, result };
}

async function runsAt(path: string, options: FindOptions): Promise<Run[]> {
  const kind = await stat(path).catch((cause: unknown) => ifMissing(path, cause));
  if (kind === undefined) {
    throw new RunError(
      `report: ${path} does not exist. Name the folder of a run, or of several; "cifar10-fast train demo" makes one in runs/.`,
    );
  }
  if (kind.isFile()) return [parseResult(path, (await textIfAny(path)) ?? '')];
  const own = await readRun(path);
  if (own !== undefined) return [own];
  return runsIn(path, options);
}

async function runsIn(folder: string, { onNotice }: FindOptions): Promise<Run[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: Error) => {
    throw new RunError(`run: ${folder} cannot be read: ${cause.message}.`, { cause });
  });
  const runs: Run[] = [];
  for (const entry of entries.toSorted((a, b) => byName(a.name, b.name))) {
    const path = join(folder, entry.name);
    try {
      const run = (await isFolder(path, entry)) ? await readRun(path) : await storedResult(path);
      if (run !== undefined) runs.push(run);
    } catch (error) {
      if (!(error instanceof RunError) || onNotice === undefined) throw error;
      onNotice(`Skipped: ${error.message}`);
    }
  }
  return runs;
}

/**
 * The run in a file like those of `results/`; undefined if the file is something else: other programs, too, leave JSON in a
 * folder.
 *
 * @throws RunError if the file has an accuracy, but is no stored result or a damaged one
 */
async function storedResult(path: string): Promise<Run | undefined> {
  if (!path.endsWith('.json')) return undefined;
  const text = (await textIfAny(path)) ?? '';
  if (!text.includes('"accPercent":')) return undefined;
  if (!isResult(text)) {
    throw new RunError(
      `run: ${path} has an accuracy, but is not one object with "record" and "accPercent", so it is no stored result. ` +
        'Move it elsewhere.',
    );
  }
  return parseResult(path, text);
}

function isResult(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (
      typeof value === 'object' && value !== null && 'record' in value && 'accPercent' in value
    );
  } catch {
    return false;
  }
}
