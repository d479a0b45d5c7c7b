import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * The rooms of `src/`, in the order in which they stand on each other: a file imports from its own room and from rooms
 * on a lower line, never from one beside it or above.
 */
const rooms: readonly (readonly string[])[] = [
  ['base'],
  ['data', 'augment', 'graph', 'text'],
  ['engine'],
  ['nn', 'optim'],
  ['models', 'layers'],
  ['train'],
  ['analysis', 'export', 'catalogue'],
  ['runs'],
  ['studies', 'sweeps', 'report'],
  ['kernel', 'notebook'],
  ['cli'],
];

/** Rooms that must be usable, and testable in milliseconds, without TensorFlow. */
const withoutTensorflow = new Set(['base', 'data', 'augment', 'graph', 'text']);

/** What the package exports: `index.ts`, and in `exports/` its subpaths. They import from every room. */
const entryPoints = new Set(['index.ts', 'exports']);

/** Rooms that stand alone, and import nothing but base/. */
const onBaseAlone = new Set(['engine', 'kernel']);

const src = resolve(__dirname, '../src');
const level = new Map(rooms.flatMap((row, index) => row.map((room) => [room, index] as const)));

interface Import {
  readonly file: string;
  readonly target: string;
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const file = relative(src, path).replaceAll('\\', '/');
  const found = text.matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g);
  return [...found].map((match) => ({ file, target: match[1] }));
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(src, name));
const imports = files.flatMap(importsOf);

/** The project's one comparison of tensors, plain formulas that results are compared with, a reader of figures, sessions, small set-ups. */
const sharedByTests = new Set([
  '../test/captured-sessions',
  '../test/epoch-row',
  '../test/expect-close',
  '../test/erf',
  '../test/layers/cases.mjs',
  '../test/layers/perceptron',
  '../test/noise-data',
  '../test/own-kernel-cases',
  '../test/plotly-figure',
  '../test/small-run',
  '../test/small-training',
]);

function roomOf(file: string): string {
  return file.split('/')[0];
}

describe('rooms', () => {
  test('every folder of src/ is a known room', () => {
    const found = new Set(files.map((path) => roomOf(relative(src, path).replaceAll('\\', '/'))));
    expect([...found].filter((room) => !entryPoints.has(room) && !level.has(room))).toEqual([]);
  });

  test('a room imports only itself and rooms below it', () => {
    const faults = imports
      .filter(({ file, target }) => target.startsWith('.') && !entryPoints.has(roomOf(file)))
      .flatMap(({ file, target }) => {
        const from = roomOf(file);
        const path = posix.normalize(posix.join(posix.dirname(file), target));
        if (file.endsWith('.test.ts') && sharedByTests.has(path)) return [];
        const to = roomOf(path);
        const allowed = from === to || (level.get(to) ?? Infinity) < (level.get(from) ?? -1);
        return allowed ? [] : [`${file} imports ${target}: ${from}/ may not look into ${to}/`];
      });
    expect(faults).toEqual([]);
  });

  test('engine/ and kernel/ import only base/', () => {
    const faults = imports
      .filter(({ file, target }) => {
        const isTested = file.endsWith('.test.ts') || !target.startsWith('.');
        return onBaseAlone.has(roomOf(file)) && !isTested;
      })
      .filter(({ file, target }) => {
        const to = roomOf(posix.normalize(posix.join(posix.dirname(file), target)));
        return to !== 'base' && to !== roomOf(file);
      })
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(faults).toEqual([]);
  });

  test('the lower rooms never import TensorFlow', () => {
    const faults = imports
      .filter(({ file, target }) => {
        return withoutTensorflow.has(roomOf(file)) && target.startsWith('@tensorflow/');
      })
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(faults).toEqual([]);
  });

  test('only engine/ opens the TensorFlow addon', () => {
    const faults = imports
      .filter(({ file, target }) => {
        return roomOf(file) !== 'engine' && target.startsWith('@tensorflow/tfjs-node');
      })
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(faults).toEqual([]);
  });
});
