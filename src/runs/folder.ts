import { access, constants, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { RunError } from '../base/errors';

/** A run's folder: what was run, what came of it, and what was drawn. */
export interface RunFolder {
  readonly path: string;
  /** Writes a file as {@link writeWhole} does. */
  write(name: string, text: string): Promise<void>;
}

/**
 * Makes a new folder for a run: `<logDir>/<name>`, or `<name>-2`, `<name>-3` where that is taken. Nothing that is there
 * is touched.
 *
 * @throws RunError if the folder cannot be made or, later, a file not be written; says which, why, and what to do
 */
export async function createRunFolder(logDir: string, name: string): Promise<RunFolder> {
  const root = resolve(logDir);
  await makeFolder(root, '--log-dir');
  for (let attempt = 1; ; attempt++) {
    const path = join(root, attempt === 1 ? name : `${name}-${attempt}`);
    try {
      await asRunError(path, '--log-dir', () => mkdir(path));
      return { path, write: (file, text) => writeWhole(join(path, file), text, '--log-dir') };
    } catch (error) {
      if (((error as RunError).cause as NodeJS.ErrnoException | undefined)?.code !== 'EEXIST') {
        throw error;
      }
    }
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
 * Writes a file whole or not at all: under another name first, then renamed. What was there before stays until the new
 * text is on the disk, and where it cannot be written, stays for good.
 *
 * @param flag the flag of the command line that chose the place; the error names it
 * @throws RunError if it cannot be written; says why, and what to do
 */
export async function writeWhole(path: string, text: string, flag: string): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  try {
    await asRunError(path, flag, async () => {
      const file = await open(draft, 'w');
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
    });
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function asRunError<T>(path: string, flag: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    // Node names the draft and the call; neither tells the user anything.
    const reason = message.replace(/, \w+(?: '.*)?$/, '');
    const repair =
      code === 'ENOSPC' || code === 'EDQUOT'
        ? `Free some space, or point ${flag} at another disk.`
        : `Point ${flag} at a place that can be written, or make ${dirname(path)} one.`;
    throw new RunError(`run: ${path} cannot be written: ${reason}. ${repair}`, { cause });
  }
}
