import { mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { makeFolders } from '../base/make-folders';
import { cacheRoot } from '../base/cache-root';
import { DataError } from '../base/errors';
import { bytes } from './local';

/** The folder in the cache for the files of the binary version, named as in the official archive. */
export function batchFolder(cacheDir: string = cacheRoot()): string {
  return join(resolve(cacheDir), 'cifar-10-batches-bin');
}

/** The name of a working folder of {@link openStaging}, with the process that created it. */
const stagingName = /^\.fetch-(?<pid>\d+)-(?<host>.+)-[^-]{6}$/;

/** After this time even a working folder of another machine counts as abandoned. */
const staleMs = 24 * 3600 * 1000;

/**
 * Creates a working folder inside `folder`, so that a finished file can be renamed into its place. The caller removes it.
 *
 * @throws DataError if the cache cannot be written.
 */
export async function openStaging(folder: string): Promise<string> {
  try {
    makeFolders(folder);
    return await mkdtemp(join(folder, `.fetch-${process.pid}-${hostname()}-`));
  } catch (error) {
    throw (await storageFault(error, folder)) ?? cannotWrite(folder, error);
  }
}

/**
 * Removes the working folders that killed processes left in `folder`: those of this machine whose process is gone, and
 * any that is a day old. A folder that cannot be inspected or removed stays; it only takes up space.
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
 * The error for a cache that cannot be written, because of a full disk, missing permissions or a disk error; `undefined`
 * for any other error, such as a failed source.
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
          `Free some space, or set CIFAR10_FAST_CACHE to a folder on another disk.`,
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
      `Set CIFAR10_FAST_CACHE to a writable folder, or point --data-dir at a folder that holds the files.`,
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
