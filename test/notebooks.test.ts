import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Checks the notebooks without executing them; scripts/notebooks.mjs and scripts/test-notebooks.mjs do the rest. */
const root = resolve(__dirname, '..');

interface Cell {
  readonly cell_type: 'code' | 'markdown';
  readonly id: string;
  readonly source: string | readonly string[];
  readonly outputs?: readonly { readonly output_type: string; readonly data?: object }[];
}

// A script, without types.
const path: string = '../scripts/notebook-files.mjs';
const script = import(path) as Promise<{
  readonly parse: (page: string) => { readonly cells: readonly Cell[] };
  readonly print: (notebook: { readonly cells: readonly Cell[] }) => string;
  readonly emptiness: (cell: { readonly id: string; readonly outputs: object[] }) => string[];
}>;

interface Notebook {
  readonly cells: readonly Cell[];
  readonly metadata: object;
}

const notebookOf = (name: string): Notebook =>
  JSON.parse(readFileSync(join(root, 'notebooks', `${name}.ipynb`), 'utf8')) as Notebook;
const cellsOf = (name: string): readonly Cell[] => notebookOf(name).cells;
const sourceOf = ({ source }: Cell): string => [source].flat().join('');
const names = readdirSync(join(root, 'notebooks'))
  .filter((name) => name.endsWith('.ipynb'))
  .map((name) => name.replace('.ipynb', ''));

/** Pages that refer to a cell as `demo#train`. */
const references = [
  'FEATURES.md',
  'README.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
]
  .filter((page) => page.endsWith('.md') && existsSync(join(root, page)))
  .flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8');
    return [...text.matchAll(/`(\w+)#([a-z0-9-]+)`/g)].map(([, name, cell]) => ({
      page,
      name,
      cell,
    }));
  });

test('an output needs a text beside other content, and streams are text', async () => {
  const { emptiness } = await script;
  const faultsOf = (...outputs: object[]): string[] => emptiness({ id: 'cell', outputs });
  const fault = 'cell: no text for those who see no pictures';
  expect(faultsOf({ data: { 'text/html': '<p>1</p>' } })).toEqual([fault]);
  expect(faultsOf({ data: { 'text/plain': [' ', '\n'] } })).toEqual([fault]);
  expect(faultsOf({ data: { 'text/plain': ['1'] } }, { name: 'stdout', text: '1' })).toEqual([]);
});

describe.each(names)('notebook %s', (name) => {
  const cells = cellsOf(name);

  test('survives a round trip through Markdown', async () => {
    const { parse, print } = await script;
    const again = parse(print({ cells })).cells;
    expect(again.map((cell) => [cell.cell_type, sourceOf(cell)])).toEqual(
      cells.map((cell) => [cell.cell_type, sourceOf(cell)]),
    );
    const code = (all: readonly Cell[]): string[] =>
      all.filter((cell) => cell.cell_type === 'code').map(({ id }) => id);
    expect(code(again)).toEqual(code(cells));
  });

  test('has cells with unique names and at most thirty lines that fit a page, which import the library by name', () => {
    expect(new Set(cells.map(({ id }) => id)).size).toBe(cells.length);
    const code = cells.filter((cell) => cell.cell_type === 'code').map(sourceOf);
    expect(code.filter((source) => source.split('\n').length > 30)).toEqual([]);
    expect(
      code.flatMap((source) => source.split('\n')).filter((line) => line.length > 100),
    ).toEqual([]);
    const imported = code.flatMap((source) =>
      [...source.matchAll(/from '([^']+)'/g)].map(([, from]) => from),
    );
    expect(imported.filter((from) => /^\.|^\/|dist/.test(from))).toEqual([]);
  });

  test('has outputs, none from a failed cell', () => {
    const outputs = cells.flatMap((cell) => cell.outputs ?? []);
    expect(outputs).not.toEqual([]);
    expect(outputs.filter((output) => output.output_type === 'error')).toEqual([]);
    // A script that is only useful in the page that runs it does not belong in the repository.
    expect(JSON.stringify(outputs)).not.toMatch(/data-(?:drawing|plotly)-runtime/);
  });

  // GitHub shows no chart of Vega-Lite and runs no script; VS Code shows charts only with an extension.
  test('has a picture for every output that needs a script or an extension, and text for all', () => {
    const faults = cells.flatMap(({ id, outputs = [] }) =>
      outputs.flatMap(({ output_type: type, data = {} }) => {
        if (type === 'stream') return [];
        const page = JSON.stringify({ ...data, 'image/png': '' });
        const isLive = /"application\/|<script/.test(page);
        const hasPicture =
          'image/png' in data && (!page.includes('<script') || page.includes('<img'));
        return 'text/plain' in data && (!isLive || hasPicture) ? [] : [id];
      }),
    );
    expect(faults).toEqual([]);
  });
});

test('cells that pages refer to exist, and have outputs', () => {
  const faults = references.filter(({ name, cell }) => {
    if (!names.includes(name)) return true;
    const found = cellsOf(name).find(({ id }) => id === cell);
    return found === undefined || (found.outputs ?? []).length === 0;
  });
  expect(references.length).toBeGreaterThan(0);
  expect(faults).toEqual([]);
});

describe('a page of Markdown', () => {
  test('becomes prose and named cells', async () => {
    const { parse, print } = await script;
    const page =
      '# Title\n\nText.\n\n```ts load\nconst a = 1;\n```\n\nMore.\n\n<!-- cell -->\n\nLast.\n';
    const { cells } = parse(page);
    expect(cells.map(({ cell_type, id, source }) => [cell_type, id, source])).toEqual([
      ['markdown', 'load-text', '# Title\n\nText.'],
      ['code', 'load', 'const a = 1;'],
      ['markdown', 'text-2', 'More.'],
      ['markdown', 'end-text', 'Last.'],
    ]);
    expect(print({ cells })).toBe(page);
  });
});
