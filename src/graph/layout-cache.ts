import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { makeFolders } from '../base/make-folders';
import { cacheRoot } from '../base/cache-root';
import { readRegularFileSync } from '../base/read-file';

/** The exact version in package.json: another one may place boxes elsewhere. */
const graphviz = '1.29.2';

/** Some kilobytes each. */
const mostKept = 1000;
const mostBytes = 2 ** 26;

/** Everything that determines what Graphviz returns. */
export type LayoutKey = readonly [text: string, format: string, engine: string];

/** The stored result of Graphviz for a key, from this process or another; undefined if it is missing or damaged. */
export function readLayout(key: LayoutKey): string | undefined {
  try {
    return gunzipSync(readRegularFileSync(fileOf(key), mostBytes)).toString();
  } catch {
    return undefined;
  }
}

/** Stores a result in the cache folder. If that cannot be written, the next drawing is laid out again, in about a second. */
export function keepLayout(key: LayoutKey, drawn: string): void {
  const path = fileOf(key);
  const draft = `${path}.${process.pid}.part`;
  try {
    makeFolders(folder());
    if (readdirSync(folder()).length >= mostKept) {
      rmSync(folder(), { recursive: true });
      mkdirSync(folder());
    }
  } catch {
    return;
  }
  try {
    writeFileSync(draft, gzipSync(drawn));
    renameSync(draft, path);
  } catch {
    rmSync(draft, { force: true });
  }
}

function folder(): string {
  return join(cacheRoot(), 'layouts');
}

function fileOf(key: LayoutKey): string {
  const hash = createHash('sha256').update(JSON.stringify([graphviz, ...key]));
  return join(folder(), `${hash.digest('hex')}.gz`);
}
