import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Dirent } from 'node:fs';
import { closeSync, fstatSync, openSync } from 'node:fs';
import {
  access,
  constants,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { RunError } from '../base/errors';
import { makeFolders } from '../base/make-folders';
import { readRegularFile } from '../base/read-file';
import { plainName, plainNameExpected } from '../base/plain-name';

/** A run's folder, locked by this process. */
export interface RunFolder {
  readonly path: string;
  /** Names of the files in it. */
  list(): Promise<string[]>;
  /** @throws RunError if the file does not exist or cannot be read */
  read(name: string): Promise<Buffer>;
  /** Writes a file as {@link writeWhole} does. */
  write(name: string, content: string | Uint8Array): Promise<void>;
  /** Renames a file, replacing any file of that name. */
  move(from: string, to: string): Promise<void>;
  /** Removes files; ignores those that do not exist. */
  remove(...names: string[]): Promise<void>;
  /** Releases the lock. The end of this process releases it too, however it ends. */
  release(): void;
}

/**
 * Creates a new folder for a run: `<logDir>/<name>`, or `<name>-2`, `<name>-3` if that exists. Existing folders are not
 * changed.
 *
 * @throws RunError if the folder cannot be created or, later, a file cannot be written; names the path, the cause and a fix
 */
export async function createRunFolder(logDir: string, name: string): Promise<RunFolder> {
  const root = resolve(logDir);
  const flag = '--log-dir';
  if (!plainName.test(name)) {
    throw new RunError(
      `run: ${JSON.stringify(name)} cannot name a folder. Give the experiment ${plainNameExpected}.`,
    );
  }
  await makeFolder(root, flag);
  for (let attempt = 1; ; attempt++) {
    const path = join(root, attempt === 1 ? name : `${name}-${attempt}`);
    try {
      await asRunError(path, flag, () => mkdir(path));
    } catch (error) {
      if (codeOf((error as RunError).cause) === 'EEXIST') continue;
      throw error;
    }
    return hold(path, flag);
  }
}

/** Runs `use` and releases the folder if it fails. */
export async function holding<T>(folder: RunFolder, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    folder.release();
    throw error;
  }
}

/**
 * Creates a folder and its parents unless they exist.
 *
 * @param flag the command line flag that set the path; the error names it
 * @throws RunError if the folder cannot be created or written to; names the cause and a fix
 */
export async function makeFolder(path: string, flag: string): Promise<void> {
  await asRunError(path, flag, async () => {
    makeFolders(path);
    await access(path, constants.W_OK);
  });
}

/**
 * Opens and locks the folder of a run, and removes files that a killed process left half-written.
 *
 * @throws RunError if the folder does not exist, or another process of this machine has locked it
 */
export async function openRunFolder(path: string): Promise<RunFolder> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (cause) {
    const reason = codeOf(cause) === 'ENOENT' ? 'it does not exist' : reasonOf(cause);
    throw new RunError(
      `run: ${resolve(path)} cannot be read: ${reason}. Name the folder of a run, as in --resume runs/demo-pocket-0.`,
      { cause },
    );
  }
  const folder = await hold(resolve(path), '--resume');
  try {
    await folder.remove(...names.filter((name) => name.endsWith(draftEnding)));
  } catch (error) {
    folder.release();
    throw error;
  }
  return folder;
}

/**
 * Writes a file atomically: to a temporary file, which is then renamed. The previous content is kept until the new content is
 * on the disk, and if writing fails.
 *
 * @param flag the command line flag that set the path; the error names it
 * @throws RunError if the file cannot be written; names the cause and a fix
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  flag: string,
): Promise<void> {
  const draft = `${path}.${process.pid}${draftEnding}`;
  try {
    await asRunError(path, flag, async () => {
      await synced(draft, 'w', (file) => file.writeFile(content));
      await rename(draft, path);
      // Sync the folder too, so that the renamed entry survives a power cut.
      await synced(dirname(path), 'r', () => Promise.resolve());
    });
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The error for a file of a run's folder that cannot be written; `flag` is the command line flag that set the folder. */
export function cannotWrite(path: string, flag: string, cause: unknown): RunError {
  const code = codeOf(cause);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  const repair = isFull
    ? `Free some space, or point ${flag} at another disk.`
    : `Point ${flag} at a writable path, or make ${dirname(path)} writable.`;
  return new RunError(`run: ${path} cannot be written: ${reasonOf(cause)}. ${repair}`, { cause });
}

const draftEnding = '.part';

async function hold(path: string, flag: string): Promise<RunFolder> {
  const release = await lock(path);
  // Keep the folder open, so that no other folder gets its inode number.
  const handle = openSync(path, 'r');
  const held = fstatSync(handle);
  let isOpen = true;
  const at = (name: string): string => join(path, name);
  /** Checks that the folder was not deleted and created again, which would leave the new one with half of the files. */
  const checkSame = async (): Promise<void> => {
    const now = await stat(path).catch(() => undefined);
    if (now?.ino === held.ino && now.dev === held.dev) return;
    const what = now === undefined ? 'was removed' : 'was removed and recreated';
    throw new RunError(
      `run: ${path} ${what} while the run was training, so its files are lost. Train it again.`,
    );
  };
  return {
    path,
    list: () => asRunError(path, flag, () => readdir(path)),
    async read(name) {
      try {
        return await readRegularFile(at(name), 2 ** 31);
      } catch (cause) {
        throw new RunError(`run: ${at(name)} cannot be read: ${reasonOf(cause)}.`, { cause });
      }
    },
    async write(name, content) {
      await checkSame();
      await writeWhole(at(name), content, flag);
    },
    move: (from, to) => asRunError(at(to), flag, () => rename(at(from), at(to))),
    async remove(...names) {
      for (const name of names) {
        await asRunError(at(name), flag, () => rm(at(name), { force: true }));
      }
    },
    release: () => {
      if (!isOpen) return;
      isOpen = false;
      closeSync(handle);
      release();
    },
  };
}

/**
 * Locks a folder for this process with a socket in Linux's abstract namespace. The kernel removes it when the process ends,
 * so a kill leaves no stale lock. Connections are closed at once. The socket is not on the network, and is invisible to
 * processes in another network namespace, as in another container.
 */
async function lock(path: string): Promise<() => void> {
  const address = await lockOf(path);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(address, done);
  }).catch((cause: unknown) => {
    if (codeOf(cause) !== 'EADDRINUSE') throw cause;
    throw new RunError(
      `run: ${path} is being trained by another process. Wait until it ends, or stop it.`,
      { cause },
    );
  });
  server.unref();
  return () => void server.close();
}

/** The address of a folder's lock. */
async function lockOf(path: string): Promise<string> {
  const key = createHash('sha256')
    .update(await realpath(path))
    .digest('hex');
  return `\0cifar10-fast/${key}`;
}

/**
 * Whether a process of this machine has locked the folder of a run; false if the folder does not exist. Connects to the lock
 * without taking it, which would stop a process that resumes the run at that moment.
 */
export async function isHeld(path: string): Promise<boolean> {
  const address = await lockOf(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (address === undefined) return false;
  const socket = connect(address);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED') return false;
    throw error;
  } finally {
    socket.destroy();
  }
}

async function synced(
  path: string,
  flags: string,
  use: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await use(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function asRunError<T>(path: string, flag: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw cannotWrite(path, flag, cause);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** Node's message without the temporary file and the system call, which do not help the user. */
function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/, \w+(?: '.*)?$/, '');
}

/** Whether an entry is a folder or a link to one. */
export async function isFolder(path: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return stat(path).then(
    (target) => target.isDirectory(),
    () => false,
  );
}
