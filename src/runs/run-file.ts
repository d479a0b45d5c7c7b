import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RunError } from '../base/errors';
import type { RunAbout } from './plan';
import type { RunResult } from './prepare';
import { trainedSchema } from '../catalogue/schema';

/** That a run was taken up again. */
export interface Resumption {
  /** When, as in `RunPlan.started`. */
  readonly at: string;
  /** From where: epochs that were over, and batches of the next. */
  readonly epoch: number;
  readonly batches: number;
  /** What had changed by then that bits depend on, a phrase each; see `ResumeOptions.isInexact`. */
  readonly differences?: readonly string[];
}

/** What `run.json` holds. */
export interface RunFile extends RunAbout {
  readonly preprocessSec: number;
  readonly resumed?: readonly Resumption[];
  /** There once the run has come to its end. */
  readonly result?: RunResult;
}

/**
 * Reads what a run's folder says about the run, finished or not.
 *
 * @throws RunError if the folder holds no `run.json`, or one that describes no run
 */
export async function readRunFile(folder: string): Promise<RunFile> {
  const path = join(folder, 'run.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'ENOENT'
        ? `there is no ${path}, so no training was begun there. Train the record anew.`
        : `${path} cannot be read: ${message}.`;
    throw new RunError(`run: ${reason}`, { cause });
  }
  let file: Partial<RunFile> | null = null;
  try {
    file = JSON.parse(text) as Partial<RunFile> | null;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  const { net, loss, data, optim, run } = file?.experiment ?? {};
  const isRun =
    trainedSchema.safeParse({ net, loss, data, optim, run }).success &&
    [file?.versions, file?.hardware, file?.environment, file?.algorithms].every(isObject) &&
    Number.isSafeInteger(file?.seed) &&
    typeof file?.dataSha256 === 'string';
  if (!isRun) {
    throw new RunError(
      `run: ${path} does not describe a run of this version of cifar10-fast. Train the record anew.`,
    );
  }
  return file as RunFile;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
