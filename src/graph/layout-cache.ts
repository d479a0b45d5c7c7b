import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { cacheRoot } from '../base/cache-root';
import { readRegularFileSync } from '../base/read-file';

/** The exact version in package.json: another one may place boxes elsewhere. */
const graphviz = '1.29.2';

/** Some kilobytes each. */
const mostKept = 1000;
const mostBytes = 2 ** 26;

/** Everything that decides what Graphviz returns. */
export type LayoutKey = readonly [text: string, format: string, engine: string];

/** What Graphviz returned for the same text before, in this process or another; undefined if it is not kept or is damaged. */
export function readLayout(key: LayoutKey): string | undefined {
  try {
    return gunzipSync(readRegularFileSync(fileOf(key), mostBytes)).toString();
  } catch {
    return undefined;
  }
}

/** Keeps it in the cache folder; where that cannot be written, Graphviz lays the drawing out again, in about a second. */
export function keepLayout(key: LayoutKey, drawn: string): void {
  const path = fileOf(key);
  const draft = `${path}.${process.pid}.part`;
  try {
    mkdirSync(folder(), { recursive: true });
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
