import { RunError } from '../base/errors';
import { readText } from '../base/read-file';

/**
 * The text of a file of a run; undefined if it does not exist.
 *
 * @throws RunError if it cannot be read; names the file and the cause
 */
export async function textIfAny(path: string): Promise<string | undefined> {
  return readText(path).catch((cause: unknown) => ifMissing(path, cause));
}

/**
 * Undefined for the file system's error that a path does not exist. What cannot be read may exist, so it does not count as
 * absent.
 *
 * @throws RunError for every other error; names the path and the cause
 */
export function ifMissing(path: string, cause: unknown): undefined {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
  // Without the call and the path that Node appends.
  const reason = message.replace(/, \w+ '.*$/, '');
  throw new RunError(
    `run: ${path} cannot be read: ${reason}. Make it readable, or move it elsewhere.`,
    { cause },
  );
}
