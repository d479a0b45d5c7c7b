import { createHash } from 'node:crypto';
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
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { RunError } from '../base/errors';
import { readRegularFile } from '../base/read-file';
import { plainName, plainNameExpected } from '../base/plain-name';

/** A run's folder, held by this process alone: what was run, what came of it, and what was drawn. */
export interface RunFolder {
  readonly path: string;
  /** Names of the files in it. */
  list(): Promise<string[]>;
  /** @throws RunError if there is no such file, or it cannot be read */
  read(name: string): Promise<Buffer>;
  /** Writes a file as {@link writeWhole} does. */
  write(name: string, content: string | Uint8Array): Promise<void>;
  /** Gives a file another name; what had that name is gone. */
  move(from: string, to: string): Promise<void>;
  /** Removes files; one that is not there is no error. */
  remove(...names: string[]): Promise<void>;
  /** Lets other processes have it; so does the end of this process, whatever ends it. */
  release(): void;
}

/**
 * Makes a new folder for a run: `<logDir>/<name>`, or `<name>-2`, `<name>-3` where that is taken. Nothing that is there
 * is touched.
 *
 * @throws RunError if the folder cannot be made or, later, a file not be written; says which, why, and what to do
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

/** Runs `use`, and releases the folder if that fails. */
export async function holding<T>(folder: RunFolder, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    folder.release();
    throw error;
  }
}

/**
 * Makes a folder, and those it lies in, unless it is there.
 *
 * @param flag the flag of the command line that chose the place; the error names it
 * @throws RunError if it cannot be made or written to; says why, and what to do
 */
export async function makeFolder(path: string, flag: string): Promise<void> {
  await asRunError(path, flag, async () => {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
  });
}

/**
 * Takes up the folder of a run, and clears away what a killed process left half-written in it.
 *
 * @throws RunError if there is no such folder, or another process of this machine holds it
 */
export async function openRunFolder(path: string): Promise<RunFolder> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (cause) {
    const reason = codeOf(cause) === 'ENOENT' ? 'it is not there' : reasonOf(cause);
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
 * Writes a file whole or not at all: under another name first, then renamed. What was there before stays until the new
 * content is on the disk, and where it cannot be written, stays for good.
 *
 * @param flag the flag of the command line that chose the place; the error names it
 * @throws RunError if it cannot be written; says why, and what to do
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
      // The new name is an entry of the folder; it outlives a power cut once the folder is on the disk, too.
      await synced(dirname(path), 'r', () => Promise.resolve());
    });
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** The error of a file in a run's folder that cannot be written; the flag of the command line chose the folder. */
export function cannotWrite(path: string, flag: string, cause: unknown): RunError {
  const code = codeOf(cause);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
  const repair = isFull
    ? `Free some space, or point ${flag} at another disk.`
    : `Point ${flag} at a place that can be written, or make ${dirname(path)} one.`;
  return new RunError(`run: ${path} cannot be written: ${reasonOf(cause)}. ${repair}`, { cause });
}

const draftEnding = '.part';

async function hold(path: string, flag: string): Promise<RunFolder> {
  const release = await lock(path);
  // Open, so that no other folder gets its number.
  const handle = openSync(path, 'r');
  const held = fstatSync(handle);
  let isOpen = true;
  const at = (name: string): string => join(path, name);
  /** A folder of the same name that somebody made again would get half of the files. */
  const checkSame = async (): Promise<void> => {
    const now = await stat(path).catch(() => undefined);
    if (now?.ino === held.ino && now.dev === held.dev) return;
    const what = now === undefined ? 'was removed' : 'was removed and made again';
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
 * Takes a folder for this process: a socket in Linux's abstract name space, which the kernel takes away when the process
 * ends, however it ends. So there is no lock that a kill leaves behind. Nobody is answered on it; it is not of the network,
 * and is not seen by processes in another network name space, as in another container.
 */
async function lock(path: string): Promise<() => void> {
  const key = createHash('sha256')
    .update(await realpath(path))
    .digest('hex');
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(`\0cifar10-fast/${key}`, done);
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

/** Whether a process of this machine holds the folder of a run, to train it. */
export async function isHeld(path: string): Promise<boolean> {
  try {
    (await lock(path))();
    return false;
  } catch (error) {
    if (error instanceof RunError) return true;
    throw error;
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

/** Node's message without the draft and the call, neither of which tells the user anything. */
function reasonOf(error: unknown): string {
  return (error as Error).message.replace(/, \w+(?: '.*)?$/, '');
}
