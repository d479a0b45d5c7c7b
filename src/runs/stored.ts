import type { Dirent } from 'node:fs';
import { lstat, readdir, rmdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { byName } from '../base/by-name';
import { RunError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { isFolder, isHeld, openRunFolder } from './folder';
import type { Run } from './run';
import { readRun } from './run-file';

/** The status of a run in a folder. */
export type RunStatus = 'finished' | 'stopped' | 'diverged' | 'training' | 'damaged';

/** Every {@link RunStatus}. */
export const runStatuses: readonly RunStatus[] = [
  'finished',
  'stopped',
  'diverged',
  'training',
  'damaged',
];

/** A run found in a folder. */
export interface StoredRun {
  /** The name of its folder. */
  readonly folder: string;
  readonly path: string;
  readonly status: RunStatus;
  /** Absent if it is damaged. */
  readonly run?: Run;
  /** The error message if it is damaged. */
  readonly problem?: string;
  /** Total size of its files. */
  readonly bytes: number;
}

/** Files that runs, reports and predictions write into the folder of a run. */
const ownFile =
  /^(?:run\.json|log\.jsonl|logs\.tsv|net\.svg|predictions\.tsv|report\.html|checkpoint-\d+(?:-\d+)?\.safetensors(?:\.damaged)?|events\.out\.tfevents\..+|.+\.part)$/;

/**
 * The runs in a folder, by name; folders without a `run.json` are skipped.
 *
 * @throws RunError if the folder cannot be read
 */
export async function storedRuns(folder: string): Promise<StoredRun[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: Error) => {
    throw new RunError(
      `runs: ${folder} cannot be read: ${cause.message.replace(/, \w+.*$/, '')}. ` +
        'Name the folder that holds the runs, as in --log-dir runs.',
      { cause },
    );
  });
  const found: StoredRun[] = [];
  for (const entry of entries.toSorted((a, b) => byName(a.name, b.name))) {
    const path = join(folder, entry.name);
    const run = (await isFolder(path, entry)) ? await storedRun(path) : undefined;
    if (run !== undefined) found.push(run);
  }
  return found;
}

/** The run of a folder, marked as damaged if it cannot be read; undefined if it has no `run.json`. */
async function storedRun(path: string): Promise<StoredRun | undefined> {
  const folder = basename(resolve(path));
  let bytes = 0;
  try {
    bytes = await bytesIn(path);
    const run = await readRun(path);
    if (run === undefined) return undefined;
    return { folder, path, run, bytes, status: await statusOf(path, run) };
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    return { folder, path, bytes, status: 'damaged', problem: error.message };
  }
}

async function statusOf(path: string, { result, failure }: Run): Promise<RunStatus> {
  if (result !== undefined) return 'finished';
  if (failure !== undefined) return 'diverged';
  return (await isHeld(path)) ? 'training' : 'stopped';
}

/** @throws RunError if the folder cannot be read */
async function bytesIn(path: string): Promise<number> {
  let bytes = 0;
  for (const { name } of await entriesOf(path)) {
    // A file can disappear while a run is being trained.
    bytes += await stat(join(path, name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}

/** @throws RunError if the folder cannot be read */
async function entriesOf(path: string): Promise<Dirent[]> {
  return readdir(path, { withFileTypes: true }).catch((cause: Error) => {
    throw unreadable(path, cause);
  });
}

function unreadable(path: string, cause: Error): RunError {
  return new RunError(`runs: ${path} cannot be read: ${cause.message.replace(/, \w+ .*$/, '')}.`, {
    cause,
  });
}

/**
 * The folder of a run by its path, or by its name in `logDir`.
 *
 * @throws RunError if there is none; names the nearest one
 */
export async function runPath(text: string, logDir: string): Promise<string> {
  for (const path of [text, join(logDir, text)]) {
    if ((await lstat(path).catch(() => undefined)) !== undefined) return path;
  }
  const names = await readdir(logDir).catch(() => []);
  throw new RunError(
    `runs: there is no run "${text}", here or in ${logDir}.${nearestHint(text, names)} ` +
      '"cifar10-fast runs" lists them.',
  );
}

/**
 * Checks that a folder can be deleted as a run: it holds a finished run and only files that runs write, is not a link, and is
 * not being trained.
 *
 * @param isUnfinishedToo whether an unfinished run, which could be resumed, may be deleted
 * @throws RunError if it cannot be deleted; names the cause and a fix
 */
export async function checkDeletable(
  path: string,
  { isUnfinishedToo }: { readonly isUnfinishedToo: boolean },
): Promise<StoredRun> {
  const refuse = (reason: string, repair: string): RunError =>
    new RunError(`runs: ${path} ${reason}, so it is not deleted. ${repair}`);
  const byHand = 'Delete it by hand if it is not needed.';
  const found = await lstat(path).catch((cause: Error) => {
    throw unreadable(path, cause);
  });
  if (found.isSymbolicLink()) throw refuse('is a link', 'Name the folder that it points to.');
  if (!found.isDirectory()) throw refuse('is not a folder', 'Name the folder of a run.');
  const stored = await storedRun(path);
  if (stored === undefined) {
    throw refuse('has no run.json and so is not the folder of a run', 'Name the folder of a run.');
  }
  const { status, problem = '' } = stored;
  if (status === 'damaged') throw refuse(`contains a damaged run (${problem})`, byHand);
  const entries = await entriesOf(path);
  const foreign = entries.find((entry) => !entry.isFile() || !ownFile.test(entry.name));
  if (foreign !== undefined) {
    throw refuse(
      `contains ${JSON.stringify(foreign.name)}, which no run writes`,
      'Move that elsewhere.',
    );
  }
  if (status === 'training') throw refuse('is being trained', 'Stop that process first.');
  if (status === 'stopped' && !isUnfinishedToo) {
    throw refuse('is not finished and can be resumed', 'Add --unfinished to delete it.');
  }
  return stored;
}

/**
 * Deletes the folder of a run, file by file; files that appeared in the meantime are kept.
 *
 * @throws RunError as {@link checkDeletable}, or if a file cannot be removed
 */
export async function deleteRun(
  path: string,
  options: { readonly isUnfinishedToo: boolean },
): Promise<void> {
  await checkDeletable(path, options);
  const folder = await openRunFolder(path);
  try {
    // Remove run.json last, because it marks the folder as a run.
    const names = (await folder.list()).filter((name) => ownFile.test(name) && name !== 'run.json');
    await folder.remove(...names, 'run.json');
    await rmdir(path);
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    throw new RunError(`runs: ${path} cannot be removed: ${(cause as Error).message}.`, { cause });
  } finally {
    folder.release();
  }
}
