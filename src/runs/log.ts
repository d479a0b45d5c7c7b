import { tsv } from '../text/tsv';
import type { EpochRow, Snapshot } from '../train/training';
import { keepCheckpoint } from './checkpoint';
import type { KeptCheckpoints } from './checkpoint';
import { openEvents } from './events';
import type { RunFolder } from './folder';

/** What a run keeps after each epoch: a checkpoint, `log.jsonl`, `logs.tsv` and TensorBoard's events. */
export interface RunLog {
  /** The last checkpoint; absent while there is none. */
  readonly checkpoint: string | undefined;
  /** Keeps an epoch that is over, the checkpoint first: whatever stops a process then, nothing is lost that was trained. */
  epoch(rows: readonly EpochRow[], snapshot: Snapshot): Promise<void>;
  /** Keeps where an epoch was stopped. */
  place(rows: readonly EpochRow[], snapshot: Snapshot): Promise<void>;
  /** Closes the events; the folder stays its holder's. */
  close(): void;
}

/** How a {@link RunLog} is kept. */
export interface RunLogOptions {
  /** Epochs that are kept already. Whatever the logs say of later ones is taken out: they will be trained again. */
  readonly rows: readonly EpochRow[];
  /** The checkpoint that goes with these rows. */
  readonly checkpoint?: string;
  readonly checkpoints: KeptCheckpoints;
  /** Written into each checkpoint: what run it belongs to, and text for whoever reads it. */
  readonly config: string;
  readonly notes: Readonly<Record<string, string>>;
  /** The flag of the command line that chose the folder. */
  readonly flag: string;
}

/**
 * Opens the log of a run.
 *
 * @throws RunError now or later, if a file cannot be written
 */
export async function openRunLog(folder: RunFolder, options: RunLogOptions): Promise<RunLog> {
  const { checkpoints, config, notes } = options;
  const writeRows = async (rows: readonly EpochRow[]): Promise<void> => {
    await folder.write('log.jsonl', rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    await folder.write('logs.tsv', tsv(rows));
  };
  if (options.rows.length > 0) await writeRows(options.rows);
  else await folder.remove('log.jsonl', 'logs.tsv');
  const events = await openEvents(folder, options.rows, options.flag);
  let { checkpoint } = options;
  const place = async (rows: readonly EpochRow[], snapshot: Snapshot): Promise<void> => {
    if (checkpoints === 0) return;
    checkpoint = await keepCheckpoint(folder, { snapshot, rows, config }, checkpoints, notes);
  };
  return {
    get checkpoint() {
      return checkpoint;
    },
    async epoch(rows, snapshot) {
      await place(rows, snapshot);
      await writeRows(rows);
      events.append(rows[rows.length - 1]);
    },
    place,
    close: () => events.close(),
  };
}
