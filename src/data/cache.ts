import { mkdir, mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { cacheRoot } from '../base/cache-root';
import { DataError } from '../base/errors';
import { bytes } from './local';

/** The folder in the cache that holds the files of the binary version, with the name that the official archive gives it. */
export function batchFolder(cacheDir: string = cacheRoot()): string {
  return join(resolve(cacheDir), 'cifar-10-batches-bin');
}

/** A working folder of {@link openStaging}, by the process that made it. */
const stagingName = /^\.fetch-(?<pid>\d+)-(?<host>.+)-[^-]{6}$/;

/** After this long even a working folder of another machine counts as left behind. */
const staleMs = 24 * 3600 * 1000;

/**
 * Makes a new working folder inside `folder`, so that what is finished there moves to its place by a rename. The caller
 * removes it.
 *
 * @throws DataError if the cache cannot be written.
 */
export async function openStaging(folder: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true });
    return await mkdtemp(join(folder, `.fetch-${process.pid}-${hostname()}-`));
  } catch (error) {
    throw (await storageFault(error, folder)) ?? cannotWrite(folder, error);
  }
}

/**
 * Removes the working folders that killed processes left in `folder`: those of this machine whose process is gone, and
 * any that is a day old. What cannot be looked at or removed stays; it does no harm but take room.
 */
export async function sweepStaging(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const { pid, host } = stagingName.exec(name)?.groups ?? {};
    if (pid === undefined) continue;
    const path = join(folder, name);
    const ageMs = Date.now() - (await stat(path).then((found) => found.mtimeMs, Date.now));
    if ((host === hostname() && !isRunning(Number(pid))) || ageMs > staleMs) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/**
 * The error for a cache that cannot take what is to be written: a full disk, or a folder closed to us; `undefined` for
 * any other error, such as a source that failed.
 */
export async function storageFault(error: unknown, folder: string): Promise<DataError | undefined> {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOSPC':
    case 'EDQUOT': {
      const free = await statfs(folder).then(
        ({ bavail, bsize }) => bytes(bavail * bsize),
        () => 'unknown',
      );
      return new DataError(
        `cifar10: no space left in ${folder} (free: ${free}). Fetching takes 350 MB while it runs, and 185 MB stay. ` +
          `Free some, or set CIFAR10_FAST_CACHE to a folder on another disk.`,
        { cause: error },
      );
    }
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'EIO':
      return cannotWrite(folder, error);
    default:
      return undefined;
  }
}

function cannotWrite(folder: string, cause: unknown): DataError {
  return new DataError(
    `cifar10: the cache folder ${folder} cannot be written (${(cause as Error).message}). ` +
      `Set CIFAR10_FAST_CACHE to a folder that can, or point --data-dir at a folder that holds the files.`,
    { cause },
  );
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
