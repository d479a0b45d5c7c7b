// Stamps in .setup/: what a finished step was made from. A step without its stamp runs again.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a file without its last newline, or '' if it cannot be read. */
export function readText(path) {
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '');
  } catch {
    return '';
  }
}

export const readStamp = (context, name) => readText(join(context.stamps, name));

export const writeStamp = (context, name, text) => replaceFile(join(context.stamps, name), text);

/** Writes one or more lines of text atomically. */
export function replaceFile(path, text) {
  writeFileSync(`${path}.new`, `${text}\n`);
  renameSync(`${path}.new`, path);
}

/** SHA-256, in hexadecimal, of files one after the other. */
export function hashOf(...paths) {
  const hash = createHash('sha256');
  for (const path of paths) hash.update(readFileSync(path));
  return hash.digest('hex');
}

/** Size and name of files, and with `times` their modification time in seconds, one line each. */
export function listFiles(folder, names, { times = false } = {}) {
  return names
    .map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name));
      return times ? `${size} ${Math.floor(mtimeMs / 1000)} ${name}` : `${size} ${name}`;
    })
    .join('\n');
}

/** Whether the files that a list of {@link listFiles} names still have these sizes (and times). */
export function filesMatch(list, folder, { times = false } = {}) {
  const text = readText(list);
  if (text === '') return false;
  const names = text.split('\n').map((line) =>
    line
      .split(' ')
      .slice(times ? 2 : 1)
      .join(' '),
  );
  try {
    return listFiles(folder, names, { times }) === text;
  } catch {
    return false;
  }
}

/** Whether two paths lead to the same file or folder. */
export function isSame(a, b) {
  const [first, second] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
}
