import { join } from 'node:path';
import { DivergedError, InterruptedError } from '../base/errors';
import { tsv } from '../text/tsv';
import type { EpochRow, Snapshot, Trainer } from '../train/training';
import { keepCheckpoint } from './checkpoint';
import type { KeptCheckpoints } from './checkpoint';
import { openEvents } from './events';
import type { RunFolder } from './folder';
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
  finish(end: Pick<Run, 'result' | 'failure'>): Promise<void>;
  /**
   * Writes what an error leaves of the run, and returns the error with what is kept: of a divergence its epoch and step, of
   * an interruption where it stopped.
   */
  fail(error: unknown, trainer: Pick<Trainer, 'save'>): Promise<unknown>;
  /** Closes the events and releases the folder. */
  close(): void;
}

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
  const { name: record, scale, seed, versions } = run;
  const config = configOf(run);
  const notes = { record, scale, seed: String(seed), versions: JSON.stringify(versions) };
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
  const finish = (end: Pick<Run, 'result' | 'failure'>): Promise<void> =>
    folder.write('run.json', runJson({ ...run, ...end }));

  await finish({});
  if (rows.length > 0) await writeRows();
  else await folder.remove('log.jsonl', 'logs.tsv');
  const events = await openEvents(folder, rows, flag);

  const diverged = async (error: DivergedError): Promise<unknown> => {
    const { epoch, step, message } = error;
    await finish({ failure: { epoch, ...(step === undefined ? {} : { step }), message } });
    if (checkpoint === undefined) return error;
    const text = `${message} The last checkpoint before that: ${join(folder.path, checkpoint)}.`;
    return new DivergedError(text, {
      epoch,
      ...(step === undefined ? {} : { step }),
      cause: error,
    });
  };
  const interrupted = async (
    error: InterruptedError,
    trainer: Pick<Trainer, 'save'>,
  ): Promise<unknown> => {
    const snapshot = await trainer.save();
    let kept = 'Everything trained so far is kept.';
    try {
      if ((snapshot.unfinished?.batches ?? 0) > 0) await writeCheckpoint(snapshot);
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
    async fail(error, trainer) {
      if (error instanceof DivergedError) return diverged(error);
      return error instanceof InterruptedError ? interrupted(error, trainer) : error;
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
