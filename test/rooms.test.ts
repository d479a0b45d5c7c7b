import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/**
 * The modules (folders) of `src/`, lowest layer first. A file imports from its own module and from modules on an earlier line,
 * never from one on the same or a later line.
 */
const modules: readonly (readonly string[])[] = [
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

/** Modules that must be usable, and testable in milliseconds, without TensorFlow. */
const withoutTensorflow = new Set(['base', 'data', 'augment', 'graph', 'text']);

/** What the package exports: `index.ts`, and in `exports/` its subpaths. They import from every module. */
const entryPoints = new Set(['index.ts', 'exports']);

/** Modules that import nothing but base/. */
const onBaseAlone = new Set(['engine', 'kernel']);

const src = resolve(__dirname, '../src');
const level = new Map(
  modules.flatMap((row, index) => row.map((module) => [module, index] as const)),
);

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

/** Files of `test/` that tests in `src/` may import. */
const sharedByTests = new Set([
  '../test/captured-sessions',
  '../test/epoch-row',
  '../test/expect-close',
  '../test/erf',
  '../test/layers/batches',
  '../test/layers/cases.mjs',
  '../test/layers/peeking',
  '../test/layers/perceptron',
  '../test/noise-data',
  '../test/own-kernel-cases',
  '../test/plotly-figure',
  '../test/small-run',
  '../test/small-training',
]);

function moduleOf(file: string): string {
  return file.split('/')[0];
}

describe('modules', () => {
  test('every folder of src/ is a known module', () => {
    const found = new Set(files.map((path) => moduleOf(relative(src, path).replaceAll('\\', '/'))));
    expect([...found].filter((module) => !entryPoints.has(module) && !level.has(module))).toEqual(
      [],
    );
  });

  test('a module imports only itself and lower modules', () => {
    const faults = imports
      .filter(({ file, target }) => target.startsWith('.') && !entryPoints.has(moduleOf(file)))
      .flatMap(({ file, target }) => {
        const from = moduleOf(file);
        const path = posix.normalize(posix.join(posix.dirname(file), target));
        if (file.endsWith('.test.ts') && sharedByTests.has(path)) return [];
        const to = moduleOf(path);
        const allowed = from === to || (level.get(to) ?? Infinity) < (level.get(from) ?? -1);
        return allowed ? [] : [`${file} imports ${target}: ${from}/ may not look into ${to}/`];
      });
    expect(faults).toEqual([]);
  });

  test('engine/ and kernel/ import only base/', () => {
    const faults = imports
      .filter(({ file, target }) => {
        const isTested = file.endsWith('.test.ts') || !target.startsWith('.');
        return onBaseAlone.has(moduleOf(file)) && !isTested;
      })
      .filter(({ file, target }) => {
        const to = moduleOf(posix.normalize(posix.join(posix.dirname(file), target)));
        return to !== 'base' && to !== moduleOf(file);
      })
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(faults).toEqual([]);
  });

  test('the lowest modules never import TensorFlow', () => {
    const faults = imports
      .filter(({ file, target }) => {
        return withoutTensorflow.has(moduleOf(file)) && target.startsWith('@tensorflow/');
      })
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(faults).toEqual([]);
  });

  test('only engine/ opens the TensorFlow addon', () => {
    const faults = imports
      .filter(({ file, target }) => {
        return moduleOf(file) !== 'engine' && target.startsWith('@tensorflow/tfjs-node');
      })
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(faults).toEqual([]);
  });
});
