import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type ts from 'typescript';
import { builtLibrary } from './built-library';

/**
 * The package as a user sees it: its declarations, read by the compiler that checks notebook cells (tslab's own TypeScript
 * 5.0.4, classic resolution, not strict), and its entry points.
 */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-package-'));
const built = builtLibrary();

beforeAll(() => {
  const modules = join(scratch, 'node_modules');
  mkdirSync(modules);
  symlinkSync(built, join(modules, 'cifar10-fast'));
  for (const name of ['@tensorflow', '@types', 'plotly.js-dist'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
});

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Compiles cells as tslab does, checks declarations too, and returns the compiler's diagnostics. */
function diagnose(...cells: readonly string[]): string[] {
  const require = createRequire(join(root, 'node_modules/tslab/package.json'));
  const compiler = require('typescript') as typeof ts;
  const files = cells.map((cell, index) => {
    const file = join(scratch, `cell-${index}.ts`);
    writeFileSync(file, cell);
    return file;
  });
  const program = compiler.createProgram(files, {
    module: compiler.ModuleKind.CommonJS,
    moduleResolution: compiler.ModuleResolutionKind.NodeJs,
    target: compiler.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    esModuleInterop: true,
    noEmit: true,
    skipLibCheck: false,
  });
  return compiler
    .getPreEmitDiagnostics(program)
    .filter(({ file: source }) => {
      const path = source?.fileName ?? '';
      return files.includes(path) || path.startsWith(built);
    })
    .map(({ file: source, messageText }) => {
      const text = compiler.flattenDiagnosticMessageText(messageText, '\n');
      return `${relative(scratch, source?.fileName ?? '')}: ${text}`;
    });
}

describe('the package, from a notebook cell', () => {
  test('its declarations compile without errors, also by subpath, and nothing in them has become any', () => {
    const faults = diagnose(
      `
      import { build, createRng, createTrainer, findExperiment, loadCifar10, resnet9, scaled } from 'cifar10-fast';
      import type { Cifar10, EpochRow } from 'cifar10-fast';
      const smoke = scaled(findExperiment('demo'), 'smoke');
      const epochs: number = smoke.run.epochs;
      async function images(): Promise<Uint8Array> { const data: Cifar10 = await loadCifar10(); return data.train.images; }
      const acc = (row: EpochRow): number => row.valid.acc;
      // @ts-expect-error a number is no text: the types are there
      const wrong: string = smoke.run.epochs;
      // @ts-expect-error images are no text either
      async function wrongImages(): Promise<string> { return (await loadCifar10()).train.images; }
      // @ts-expect-error a graph is a map of nodes
      const wrongGraph: string = build(resnet9());
    `,
      `
      import { createSession } from 'cifar10-fast/engine';
      import type { Session } from 'cifar10-fast/engine';
      import { chart, plotly, show } from 'cifar10-fast/notebook';
      import { hyperparameterMap, summarise } from 'cifar10-fast/studies';
      const mean: number = summarise([1, 2]).mean;
      const rate: number = hyperparameterMap('smoke', 'momentum')[0].lr;
      // @ts-expect-error a number is no text: the types are there
      const wrong: string = summarise([1, 2]).mean;
      // @ts-expect-error a chart wants rows
      show(chart(5));
      const still = chart([], { mark: 'point', x: 'a', y: 'b' });
      show(plotly([{ type: 'surface', z: [[1]] }], { title: { text: 'Loss' } }, still));
      // @ts-expect-error plotly.js has no such trace
      show(plotly([{ type: 'surfaces' }], {}, still));
      // @ts-expect-error a session is made of a state
      const session: Session<{}> = createSession(5);
    `,
    );
    expect(faults).toEqual([]);
  });

  /** The packages that a program has loaded at its end. */
  const loadedBy = (code: string): string[] => {
    const end = 'console.log(Object.keys(require.cache).join("\\n"))';
    const out = execFileSync(process.execPath, ['-e', `${code}; ${end}`], {
      cwd: scratch,
      encoding: 'utf8',
    });
    const found = [...out.matchAll(/node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\/(?!.*node_modules)/g)];
    return [...new Set(found.map(([, name]) => name))];
  };

  test('the engine loads no notebook packages', () => {
    const packages = loadedBy("require('cifar10-fast/engine').loadTensorflow()");
    expect(packages).toContain('@tensorflow/tfjs-core');
    const heavy = ['zeromq', 'tslab', 'vega', 'vega-lite', '@resvg/resvg-js', 'typescript'];
    expect(packages.filter((name) => heavy.includes(name))).toEqual([]);
  });

  test('each name has one entry point', () => {
    const names = (subpath: string): string[] =>
      JSON.parse(
        execFileSync(
          process.execPath,
          ['-p', `JSON.stringify(Object.keys(require('cifar10-fast${subpath}')))`],
          { cwd: scratch, encoding: 'utf8' },
        ),
      ) as string[];
    const all = ['', '/engine', '/notebook', '/studies'].flatMap(names);
    const twice = all.filter((name, index) => all.indexOf(name) !== index);
    expect(twice.toSorted()).toEqual(
      [
        // It captures steps as the engine does, and is a feature of its own.
        'accelerate',
        // What a cell needs first is also in the main entry point.
        'clearOutput',
        'display',
        'resumeLive',
        'trainLive',
        // Hardware belongs to the engine, and to the description of a run.
        'hardwareLine',
        'loadTensorflow',
        'readHardware',
      ].toSorted(),
    );
    expect(names('').length).toBeLessThan(100);
  });

  test('can be required from CommonJS, and has its exports', () => {
    const names = execFileSync(
      process.execPath,
      [
        '-e',
        `console.log(Object.keys(require(${JSON.stringify(join(built, 'dist/index.js'))})).join())`,
      ],
      {
        cwd: root,
        env: { ...process.env, NODE_PATH: join(root, 'node_modules') },
        encoding: 'utf8',
      },
    );
    expect(names.trim().split(',')).toEqual(
      expect.arrayContaining(['catalogue', 'createTrainer', 'loadCifar10']),
    );
  });

  test('ships the program and no tests', () => {
    const files = readdirSync(join(built, 'dist'), { recursive: true, encoding: 'utf8' });
    expect(files.filter((name) => name.includes('.test.'))).toEqual([]);
    expect(files).toContain('cli/main.js');
  });
});
