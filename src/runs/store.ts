import { join } from 'node:path';
import { DivergedError, InterruptedError } from '../base/errors';
import { networkOf } from '../catalogue/network';
import { draw } from '../graph/draw';
import { tsv } from '../text/tsv';
import type { EpochRow, Snapshot, Trainer } from '../train/training';
import { keepCheckpoint } from './checkpoint';
import type { Checkpoint, KeptCheckpoints } from './checkpoint';
import { openEvents } from './events';
import { createRunFolder, holding } from './folder';
import type { RunFolder } from './folder';
import type { Load } from './load';
import { configOf } from './run';
import type { PlannedRun, Run } from './run';
import { runJson } from './run-file';

/**
 * What a run keeps in its folder while it trains: `run.json`, and after each epoch a checkpoint, `log.jsonl`, `logs.tsv` and
 * TensorBoard's events.
 */
export interface RunStore {
  /** As `run.json` has it. */
  readonly run: PlannedRun;
  /** Writes a finished epoch, the checkpoint first: whatever ends the process, no trained epoch is lost. */
  epoch(rows: readonly EpochRow[], snapshot: Snapshot): Promise<void>;
  /** Writes how the run ended. */
  finish(end: RunEnd): Promise<void>;
  /**
   * Writes what an error leaves of the run, and returns the error with what is kept: of a divergence its epoch and step, of
   * an interruption where it stopped.
   */
  fail(error: unknown, trainer: Pick<Trainer, 'save'>, load: Load): Promise<unknown>;
  /** Closes the events and releases the folder. */
  close(): void;
}

/** What is known of a run once it ended. */
export type RunEnd = Pick<Run, 'result' | 'failure' | 'load' | 'preprocessSec'>;

/** How {@link openStore} keeps a run. */
export interface StoreOptions {
  /** How many checkpoints to keep: the last so many, or all. */
  readonly checkpoints: KeptCheckpoints;
  /** The checkpoint that the run is resumed from. */
  readonly checkpoint?: string;
  /** The flag of the command line that chose the folder. */
  readonly flag: string;
}

/**
 * Makes the folder of a new run, `<logDir>/<experiment>-<scale>-<seed>` or the next free name, draws its network there and
 * opens its store.
 *
 * @param from the checkpoint that it starts from, which is kept in the folder first
 * @throws RunError if the folder cannot be made, or a file in it not be written
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

/** What a checkpoint says of its run, for a file that is found on its own. */
function notesOf({ name: record, scale, seed, versions }: PlannedRun): Record<string, string> {
  return { record, scale, seed: String(seed), versions: JSON.stringify(versions) };
}

/**
 * Writes `run.json` and opens the logs. What they hold beyond the run's finished epochs is removed, as these are trained
 * again.
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
  const writeCheckpoint = async (snapshot: Snapshot): Promise<void> => {
    if (checkpoints === 0) return;
    checkpoint = await keepCheckpoint(folder, { snapshot, rows, config }, checkpoints, notes);
  };
  const finish = (end: RunEnd): Promise<void> =>
    folder.write('run.json', runJson({ ...run, ...end }));

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
    let kept = 'Everything trained so far is kept.';
    try {
      if ((snapshot.unfinished?.batches ?? 0) > 0) await writeCheckpoint(snapshot);
      await finish({ load });
      if (checkpoint === undefined) {
        kept =
          rows.length === 0
            ? 'Nothing was trained yet.'
            : 'There is no checkpoint, so training starts again from epoch 1.';
      }
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
    async epoch(now, snapshot) {
      rows = now;
      await writeCheckpoint(snapshot);
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

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./+:@%-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
