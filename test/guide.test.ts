import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtLibrary, linkPackages } from './built-library';
import { blocksOf, comparing } from './markdown';

/**
 * The guide as a reader uses it: its blocks form one program, which imports the built package by name, is compiled against
 * its declarations in strict mode, and is run.
 */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-guide-'));
const guide = readFileSync(join(root, 'docs/guide.md'), 'utf8');
const blocks = blocksOf(guide);

const built = builtLibrary();

const shown = `import { inspect } from 'node:util';
function expectShown(value: unknown, wanted: string): void {
  const found = inspect(value, { compact: true, breakLength: Infinity, depth: 4 });
  if (found !== wanted) throw new Error('the guide says ' + wanted + ', and it is ' + found);
}
`;
const program = join(scratch, 'mine.mts');

beforeAll(() => {
  linkPackages(scratch, built);
  const code = blocks.filter(({ language }) => language === 'ts').map(({ text }) => text);
  writeFileSync(program, shown + comparing(code.join('\n')));
}, 120_000);

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the guide', () => {
  test('shows values that can be compared', () => {
    expect(guide.match(/^.+; \/\/ → .+$/gm)?.length).toBeGreaterThan(10);
  });

  test('compiles against the declarations of the package', () => {
    const checked = ts.createProgram([program], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUnusedLocals: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
      // Node strips types, so it cannot distinguish an import of a type from one of a value.
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      skipLibCheck: true,
      noEmit: true,
    });
    const declarations = checked
      .getSourceFiles()
      .filter(({ fileName }) => fileName.startsWith(built));
    expect(declarations.map(({ fileName }) => fileName)).toContainEqual(
      expect.stringMatching(/dist\/index\.d\.ts$/),
    );
    const faults = ts.getPreEmitDiagnostics(checked).map(({ file, start, messageText }) => {
      const line = file?.text.slice(0, start).split('\n').at(-1) ?? '';
      return `${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
    expect(faults).toEqual([]);
  });

  test('runs, prints the documented values, and learns', () => {
    const compiled = program.replace(/ts$/, 'js');
    const { outputText } = ts.transpileModule(readFileSync(program, 'utf8'), {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    writeFileSync(compiled, outputText);
    const run = spawnSync(process.execPath, [compiled], {
      cwd: scratch,
      env: { ...process.env, NODE_OPTIONS: '' },
      encoding: 'utf8',
    });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
    expect(readFileSync(join(scratch, 'mine.svg'), 'utf8')).toContain('half3');

    const rows = run.stdout.split('\n').filter((line) => /^ {7}/.test(line));
    const titles = blocks.find(({ language }) => language === 'text')?.text.split('\n')[0];
    expect(rows[0]).toBe(titles);
    const losses = rows.slice(1).map((row) => Number(row.trim().split(/\s+/)[3]));
    expect(losses).toHaveLength(4);
    expect(losses[3]).toBeLessThan(losses[0] - 0.1);
  });
});
