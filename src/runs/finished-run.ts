import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Cifar10FastError, RunError } from '../base/errors';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { readNamedCheckpoint, sortCheckpoints } from './checkpoint';
import { configOf, describeRun } from './plan';
import type { Experiment } from '../catalogue/experiment';
import { readRunFile } from './run-file';
import type { RunFile } from './run-file';
import { isSameRun } from './stored-run';
import type { StoredRun } from './stored-run';
import type { FinishedRun } from './train-experiment';

/** What {@link findFinished} looks for. */
export interface FinishedWanted {
  /** As it is to be trained: of its size, with its overrides. */
  readonly experiment: Experiment;
  readonly data: Cifar10;
  readonly seed: number;
  readonly engine?: SessionOptions;
}

/**
 * The newest run that is finished and is the one that is wanted, out of those that lie on disk: the same record, the whole
 * of it, size, seed, data, mode, precision and use of XLA. Hardware, threads and versions may be others; `about` tells them.
 *
 * It is as complete as `trainRecord` returns it: what was learnt is read from its last checkpoint, and where the run
 * diverged, is that of its last whole epoch. A run of which something is missing is passed over. No folder is changed.
 *
 * @returns `reason`, why the newest of the runs that were wanted was passed over, where there is no other
 * @throws EngineError if TensorFlow does not load, or runs with another number of threads in this process already
 */
export async function findFinished(
  stored: readonly StoredRun[],
  { experiment, data, seed, engine = {} }: FinishedWanted,
): Promise<{ readonly run?: FinishedRun; readonly reason?: string }> {
  const named = stored.filter(
    (run) => run.result !== undefined && run.record === experiment.name && run.seed === seed,
  );
  // To describe what is wanted takes the hash of all images.
  if (named.length === 0) return {};
  const { mode, precision, xla, dataSha256 } = describeRun(experiment, data, seed, engine);
  const same = named.filter((run) => isSameRun(run, { experiment, seed, mode, precision, xla }));
  same.sort((a, b) => (a.started < b.started ? 1 : -1));
  let reason: string | undefined;
  for (const { path } of same) {
    try {
      const file = await readRunFile(path);
      if (file.dataSha256 !== dataSha256) continue;
      return { run: await readFinished(resolve(path), file) };
    } catch (error) {
      if (!(error instanceof Cifar10FastError)) throw error;
      reason ??= error.message;
    }
  }
  return reason === undefined ? {} : { reason };
}

/** A finished run, of its folder. @throws RunError, DataError if its last checkpoint is not there, not whole, or not of its end */
async function readFinished(
  folder: string,
  { preprocessSec, resumed: _resumed, result, ...about }: RunFile,
): Promise<FinishedRun> {
  const [last] = sortCheckpoints(await readdir(folder));
  if (result === undefined || last === undefined) {
    throw new RunError(
      `run: ${folder} holds no ${last === undefined ? 'checkpoint, so what was learnt is not there any more' : 'result'}.`,
    );
  }
  const { snapshot, rows, config } = readNamedCheckpoint(last, join(folder, last));
  const isEnd = snapshot.unfinished === undefined && rows.length === result.epochs;
  if (!isEnd || config !== configOf(about)) {
    throw new RunError(`run: ${last} in ${folder} is not of the end of the run beside it.`);
  }
  return { about, folder, rows, result, preprocessSec, state: snapshot.learnt };
}
