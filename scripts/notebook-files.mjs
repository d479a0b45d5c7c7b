// Reads, writes and executes notebooks, for the scripts that work on them.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const folder = join(root, 'notebooks');
const python = join(root, '.venv/bin/python');

/** The kernel metadata of a notebook. `language_info` omits the version, which has no effect. */
const about = {
  kernelspec: { display_name: 'TypeScript (cifar10-fast)', language: 'typescript', name: 'tslab' },
  language_info: {
    codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
    file_extension: '.ts',
    mimetype: 'text/typescript',
    name: 'typescript',
  },
};

export const fail = (message) => {
  console.error(`notebooks: ${message}`);
  process.exit(1);
};

/** The compiled library. */
export function library() {
  const entry = join(root, 'dist/exports/all.js');
  if (!existsSync(entry)) fail('dist/ is missing. Run: npm run build');
  return createRequire(import.meta.url)(entry);
}

export const names = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.ipynb'))
    .map((name) => basename(name, '.ipynb'))
    .toSorted();

export const fileOf = (name) => join(folder, `${name}.ipynb`);

export function read(name) {
  const file = fileOf(name);
  if (!existsSync(file)) fail(`there is no ${file}. Notebooks are: ${names().join(', ')}.`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Writes a notebook as nbformat does, with sorted keys and one space of indentation, so that Jupyter's changes are small. */
export function write(file, notebook) {
  const sorted = (value) => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([key, part]) => [key, sorted(part)]));
  };
  writeFileSync(file, `${JSON.stringify(sorted(notebook), null, 1)}\n`);
}

export const sourceOf = ({ source }) => (Array.isArray(source) ? source.join('') : source);
export const codeCells = ({ cells }) => cells.filter(({ cell_type: type }) => type === 'code');

/** Faults in the outputs of a cell: no text beside other content, or a blank picture. */
export function emptiness({ id, outputs }) {
  return outputs.flatMap(({ data }) => {
    // Streams and errors are text.
    if (data === undefined) return [];
    const text = [data['text/plain'] ?? ''].flat().join('');
    const png = data['image/png'];
    if (text.trim() === '') return [`${id}: no text for those who see no pictures`];
    if (png === undefined) return [];
    const { PNG } = createRequire(import.meta.url)('pngjs');
    const { data: pixels } = PNG.sync.read(Buffer.from([png].flat().join(''), 'base64'));
    const colours = new Set();
    for (let i = 0; i < pixels.length && colours.size < 4; i += 4)
      colours.add(pixels.readUInt32BE(i));
    return colours.size < 4 ? [`${id}: a picture with ${colours.size} colours`] : [];
  });
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Hashes of the code cells, and of the experiments that they name or that the catalogue assigns to that notebook. */
export function hashes(name, notebook) {
  const { catalogue } = library();
  const code = codeCells(notebook).map(sourceOf).join('\n\n');
  const quoted = new Set([...code.matchAll(/'([\w-]+)'/g)].map(([, text]) => text));
  const experiments = [...catalogue.values()].filter(
    (experiment) => experiment.notebook === name || quoted.has(experiment.name),
  );
  // Titles, notes and the hardware of published figures are words: they change no result.
  const decisive = (key, value) =>
    ['hardware', 'note', 'title'].includes(key) ? undefined : value;
  return { code: sha256(code), records: sha256(JSON.stringify(experiments, decisive)) };
}

/** Converts a page of Markdown to a notebook; docs/notebooks.md describes the format. */
export function parse(text) {
  const cells = [];
  const prose = [];
  const endProse = (id) => {
    const source = prose.splice(0).join('\n').trim();
    if (source === '') return;
    const isTaken = cells.some((cell) => cell.id === id);
    const own = isTaken ? `${id}-${cells.length}` : id;
    cells.push({ cell_type: 'markdown', id: own, metadata: {}, source });
  };
  let code;
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```ts(?: (\S+))?$/.exec(line);
    if (code !== undefined) {
      if (line !== '```') code.lines.push(line);
      else {
        const { id, lines } = code;
        const [source, metadata] = [lines.join('\n'), {}];
        cells.push({ cell_type: 'code', execution_count: null, id, metadata, outputs: [], source });
        code = undefined;
      }
    } else if (fence !== null) {
      const [, id] = fence;
      if (id === undefined || !/^[a-z0-9-]{1,60}$/.test(id))
        fail(`line ${index + 1}: a cell needs a name of its own, as in "\`\`\`ts load".`);
      if (cells.some((cell) => cell.id === id)) fail(`line ${index + 1}: two cells are "${id}".`);
      endProse(`${id}-text`);
      code = { id, lines: [] };
    } else if (line === '<!-- cell -->') endProse(`text-${cells.length}`);
    else prose.push(line);
  }
  if (code !== undefined) fail(`the cell "${code.id}" is not closed.`);
  endProse('end-text');
  return { cells, metadata: about, nbformat: 4, nbformat_minor: 5 };
}

/** Converts a notebook to the page of Markdown that {@link parse} reads. */
export function print({ cells }) {
  const parts = cells.map((cell, index) => {
    if (cell.cell_type === 'code') return `\`\`\`ts ${cell.id}\n${sourceOf(cell)}\n\`\`\`\n`;
    const isSplit = cells[index + 1]?.cell_type === 'markdown';
    return `${sourceOf(cell)}\n${isSplit ? '\n<!-- cell -->\n' : ''}`;
  });
  return parts.join('\n');
}

/**
 * Executes a notebook with the variables of `environment`. Resolves with the executed notebook, its wall time, the seconds of
 * each cell by id, and the error of the cell that failed, if one did.
 */
export async function execute(
  name,
  target,
  environment,
  { kernel = 'tslab', timeoutSec = 3600 } = {},
) {
  const start = performance.now();
  const script = join(root, 'scripts/execute-notebook.py');
  const child = spawn(python, [script, kernel, folder, fileOf(name), target, String(timeoutSec)], {
    cwd: root,
    env: { ...process.env, PATH: `${dirname(python)}:${process.env.PATH}`, ...environment },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const code = await new Promise((resolve) => child.on('close', resolve));
  const seconds = (performance.now() - start) / 1000;
  if (!existsSync(target)) fail(`${name} could not be executed:\n${stderr}`);
  const notebook = JSON.parse(readFileSync(target, 'utf8'));
  const error = code === 0 ? undefined : stderr.trim();
  return { notebook: tidied(notebook), seconds, cellSec: cellSeconds(notebook), error };
}

/** Wall time of each executed cell. */
function cellSeconds(notebook) {
  return new Map(
    codeCells(notebook).flatMap(({ id, metadata }) =>
      metadata.execution === undefined ? [] : [[id, metadata.execution.seconds]],
    ),
  );
}

/** An executed notebook as it is stored: without times, and without scripts, which an untrusted notebook never runs. */
function tidied({ cells, metadata, ...rest }) {
  return {
    ...rest,
    metadata: { ...metadata, ...about },
    cells: cells.map((cell) => {
      if (cell.cell_type !== 'code') return cell;
      const { execution: _times, ...kept } = cell.metadata;
      return { ...cell, metadata: kept, outputs: cell.outputs.map(tidiedOutput) };
    }),
  };
}

function tidiedOutput(output) {
  const html = output.data?.['text/html'];
  const text = Array.isArray(html) ? html.join('') : (html ?? '');
  if (!/data-(?:drawing|plotly)-runtime/.test(text)) return output;
  const { 'text/html': _script, ...data } = output.data;
  return { ...output, data };
}
