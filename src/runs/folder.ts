import { appendFile, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { RunError } from '../base/errors';

/** A run's folder: what was run, what came of it, and what was drawn. */
export interface RunFolder {
  readonly path: string;
  /** Writes a file whole or not at all: under another name first, then renamed. */
  write(name: string, text: string): Promise<void>;
  /** Adds one line of JSON to a log. */
  append(name: string, row: unknown): Promise<void>;
}

/**
 * Makes a new folder for a run: `<logDir>/<name>`, or `<name>-2`, `<name>-3` where that is taken. Nothing that is there
 * is touched.
 *
 * @throws RunError if the folder cannot be made or, later, a file not be written; says which, why, and what to do
 */
export async function createRunFolder(logDir: string, name: string): Promise<RunFolder> {
  const root = resolve(logDir);
  await asRunError(root, () => mkdir(root, { recursive: true }));
  for (let attempt = 1; ; attempt++) {
    const path = join(root, attempt === 1 ? name : `${name}-${attempt}`);
    try {
      await asRunError(path, () => mkdir(path));
      return openFolder(path);
    } catch (error) {
      if (((error as RunError).cause as NodeJS.ErrnoException | undefined)?.code !== 'EEXIST') {
        throw error;
      }
    }
  }
}

function openFolder(path: string): RunFolder {
  return {
    path,
    async write(name, text) {
      const target = join(path, name);
      const draft = `${target}.${process.pid}.part`;
      try {
        await asRunError(target, async () => {
          const file = await open(draft, 'w');
          try {
            await file.writeFile(text);
            await file.sync();
          } finally {
            await file.close();
          }
          await rename(draft, target);
        });
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      }
    },
    append: (name, row) =>
      asRunError(join(path, name), () => appendFile(join(path, name), `${JSON.stringify(row)}\n`)),
  };
}

async function asRunError<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const repair =
      code === 'ENOSPC' || code === 'EDQUOT'
        ? 'Free some space, or point --log-dir at another disk.'
        : `Point --log-dir at a folder that can be written, or make ${dirname(path)} writable.`;
    throw new RunError(`run: ${path} cannot be written: ${message}. ${repair}`, { cause });
  }
}
