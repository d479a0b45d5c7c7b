import { join } from 'node:path';
import { DivergedError, InterruptedError } from '../base/errors';
import { networkOf } from '../catalogue/network';
import { draw } from '../graph/draw';
import { tsv } from '../text/tsv';
import type { EpochRow, Snapshot, Trainer } from '../train/training';
import { checkpointName, keepCheckpoint, sortCheckpoints } from './checkpoint';
import type { Checkpoint, KeptCheckpoints } from './checkpoint';
import { openEvents } from './events';
import { createRunFolder, holding } from './folder';
import type { RunFolder } from './folder';
import type { Load } from './load';
import { configOf } from './run';
import type { PlannedRun, Run } from './run';
import { runJson } from './run-file';

/**
 * Writes a run's files while it trains: `run.json`, and after each epoch a checkpoint, `log.jsonl`, `logs.tsv` and
 * TensorBoard's events.
 */
export interface RunStore {
  /** The run as in `run.json`. */
  readonly run: PlannedRun;
  /** Writes a finished epoch, the checkpoint first, so that no finished epoch is lost however the process ends. */
  epoch(rows: readonly EpochRow[], snapshot: Snapshot, load: Load): Promise<void>;
  /** Writes how the run ended. With a result and no checkpoints to keep, removes those that the run was resumed from. */
  finish(end: RunEnd): Promise<void>;
  /**
   * Writes the state of the run after an error, and returns the error with a note on what was kept: after a divergence its
   * epoch and step, after an interruption a checkpoint.
   */
  fail(error: unknown, trainer: Pick<Trainer, 'save'>, load: Load): Promise<unknown>;
  /** Closes the events and releases the folder. */
  close(): void;
}

/** The fields that are known when a run ends. */
export type RunEnd = Pick<Run, 'result' | 'failure' | 'load' | 'preprocessSec'>;

/** Options of {@link openStore}. */
export interface StoreOptions {
  /** The number of newest checkpoints to keep, or all. */
  readonly checkpoints: KeptCheckpoints;
  /** The checkpoint from which the run resumes. */
  readonly checkpoint?: string;
  /** The command line flag that set the folder. */
  readonly flag: string;
}

/**
 * Creates the folder of a new run, `<logDir>/<experiment>-<scale>-<seed>` or the next free name, draws its network there and
 * opens its store.
 *
 * @param from the checkpoint from which the run starts, which is first written to the folder
 * @throws RunError if the folder cannot be created, or a file in it cannot be written
 */
export async function createStore(
  logDir: string,
  run: PlannedRun,
  checkpoints: KeptCheckpoints,
  from?: Checkpoint,
): Promise<RunStore> {
  const { name, scale, seed, experiment } = run;
  const folder = await createRunFolder(logDir, `${name}-${scale}-${seed}`);
  return holding(folder, async () => {
    await folder.write('net.svg', await draw(networkOf(experiment), { name }));
    const checkpoint =
      from === undefined ? undefined : await keepCheckpoint(folder, from, 'all', notesOf(run));
    return openStore(
      folder,
      { ...run, path: folder.path, checkpoints },
      { checkpoints, flag: '--log-dir', ...(checkpoint === undefined ? {} : { checkpoint }) },
    );
  });
}

/** The notes in a checkpoint that identify its run, should the file be found on its own. */
function notesOf({ name: record, scale, seed, versions }: PlannedRun): Record<string, string> {
  return { record, scale, seed: String(seed), versions: JSON.stringify(versions) };
}

/**
 * Writes `run.json` and opens the logs. Removes epochs after the run's finished ones from the logs, as these are trained again.
 *
 * @throws RunError now or later, if a file cannot be written
 */
export async function openStore(
  folder: RunFolder,
  run: PlannedRun,
  { checkpoints, flag, ...options }: StoreOptions,
): Promise<RunStore> {
  const config = configOf(run);
  const notes = notesOf(run);
  let { checkpoint } = options;
  let { rows } = run;
  const writeRows = async (): Promise<void> => {
    await folder.write('log.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    await folder.write('logs.tsv', tsv(rows));
  };
  const writeCheckpoint = async (snapshot: Snapshot, load: Load): Promise<void> => {
    if (checkpoints === 0) return;
    const now = { snapshot, rows, config, load };
    checkpoint = await keepCheckpoint(folder, now, checkpoints, notes);
  };
  const finish = async (end: RunEnd): Promise<void> => {
    await folder.write('run.json', runJson({ ...run, ...end }));
    // Later epochs wrote no checkpoint, so one that is left is not of the trained network.
    if (checkpoints === 0 && end.result !== undefined) {
      await folder.remove(...sortCheckpoints(await folder.list()));
    }
  };

  await finish({});
  if (rows.length > 0) await writeRows();
  else await folder.remove('log.jsonl', 'logs.tsv');
  const events = await openEvents(folder, rows, flag);

  const diverged = async (error: DivergedError, load: Load): Promise<unknown> => {
    const { epoch, step, message } = error;
    const at = { epoch, ...(step === undefined ? {} : { step }) };
    await finish({ load, failure: { ...at, message } });
    if (checkpoint === undefined) return error;
    const text = `${message} The last checkpoint before that: ${join(folder.path, checkpoint)}.`;
    return new DivergedError(text, { ...at, cause: error });
  };
  const interrupted = async (
    error: InterruptedError,
    trainer: Pick<Trainer, 'save'>,
    load: Load,
  ): Promise<unknown> => {
    const snapshot = await trainer.save();
    let kept: string;
    try {
      if ((snapshot.unfinished?.batches ?? 0) > 0) await writeCheckpoint(snapshot, load);
      await finish({ load });
      kept = keptText(snapshot, checkpoint);
    } catch (cause) {
      const again = checkpoint === undefined ? 'epoch 1' : checkpoint;
      kept = `The checkpoint could not be written, so training resumes from ${again}: ${(cause as Error).message}`;
    }
    return new InterruptedError(
      `${error.message} ${kept} Resume with: npx cifar10-fast train --resume ${quoted(folder.path)}`,
      { cause: error },
    );
  };

  return {
    run,
    async epoch(now, snapshot, load) {
      rows = now;
      await writeCheckpoint(snapshot, load);
      await writeRows();
      events.append(rows[rows.length - 1]);
    },
    finish,
    async fail(error, trainer, load) {
      if (error instanceof DivergedError) return diverged(error, load);
      return error instanceof InterruptedError ? interrupted(error, trainer, load) : error;
    },
    close() {
      events.close();
      folder.release();
    },
  };
}

/** What was kept of a training that was stopped in this state, whose last checkpoint is `checkpoint`. */
function keptText(snapshot: Snapshot, checkpoint: string | undefined): string {
  const name = checkpointName(snapshot);
  if (name === checkpoint) return 'Everything trained so far is kept.';
  if (name === checkpointName({ epoch: 0 })) return 'Nothing was trained yet.';
  return checkpoint === undefined
    ? 'There is no checkpoint, so training starts again from epoch 1.'
    : `No checkpoint was written since, so training resumes from ${checkpoint}.`;
}

/** A path quoted for a shell. */
function quoted(path: string): string {
  return /^[\w./+:@%-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
