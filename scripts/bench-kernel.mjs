// Benchmarks the Jupyter kernel against stock tslab and Deno, in turns, and writes the table of docs/kernel.md.
//
//   npm run bench:kernel                 nine rounds, a few minutes
//   npm run bench:kernel -- --rounds 3   fewer
//
// A row is the median of all rounds. Each round restarts every kernel, in docs/, and runs the same cells. Times are measured
// at the client. Memory is the proportional set size (PSS) of the process and its children. The rows are also appended to
// bench/results/kernel.tsv. Deno is installed from npm into a temporary folder.
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { root } from './kernel-tools.mjs';
import { optionsOf, wholeNumber } from './options.mjs';
import { writeSection } from './sections.mjs';

const { rounds } = optionsOf(
  import.meta.url,
  { rounds: { type: 'string', default: '9' } },
  { read: (given) => ({ rounds: wholeNumber('rounds', given.rounds) }) },
);
const deno = '2.9.6';
const trivialCells = 20;

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-bench-kernel-'));
const cache = join(root, 'node_modules/.cache/cifar10-fast');

/** The client of the tests, compiled into a folder from which its packages resolve. */
async function loadClient() {
  const source = readFileSync(join(root, 'test/kernel/client.ts'), 'utf8');
  const module = ts.ModuleKind.ESNext;
  const target = ts.ScriptTarget.ES2022;
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module, target } });
  mkdirSync(cache, { recursive: true });
  const file = join(cache, `client-${process.pid}.mjs`);
  writeFileSync(file, outputText);
  try {
    return (await import(pathToFileURL(file).href)).Client;
  } finally {
    rmSync(file);
  }
}

function installDeno() {
  const folder = join(scratch, 'deno');
  mkdirSync(folder);
  const args = ['install', '--prefix', folder, '--no-save', '--ignore-scripts', `deno@${deno}`];
  const { status } = spawnSync('npm', [...args, '--loglevel=error'], { stdio: 'inherit' });
  const found = join(folder, 'node_modules/@deno/linux-x64-glibc/deno');
  if (status === 0 && existsSync(found)) return found;
  console.log(`Deno ${deno} could not be installed; it is left out.`);
  return undefined;
}

function kernels() {
  const file = '{connection_file}';
  const node = process.execPath;
  const binary = installDeno();
  return [
    ['this kernel', [node, join(root, 'dist/kernel/main.js'), file]],
    [
      'stock tslab',
      [node, join(root, 'node_modules/tslab/bin/tslab'), 'kernel', '--config-path', file],
    ],
    ...(binary === undefined
      ? []
      : [[`Deno ${deno}`, [binary, 'jupyter', '--kernel', '--conn', file]]]),
  ];
}

/** PSS of a process and its children, in MB. */
function memory(pid) {
  const tree = [pid];
  for (const parent of tree) {
    const tasks = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8');
    tree.push(...tasks.split(' ').filter(Boolean).map(Number));
  }
  const kB = tree.map((one) =>
    Number(/Pss:\s+(\d+)/.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))?.[1] ?? 0),
  );
  return kB.reduce((sum, value) => sum + value, 0) / 1024;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function time(work) {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Starts, measures and stops one kernel. */
async function measure(Client, argv) {
  let kernel;
  const start = await time(async () => {
    kernel = await Client.start({
      argv,
      cwd: join(root, 'docs'),
      env: { CIFAR10_FAST_CACHE: scratch },
    });
  });
  const first = await time(() => kernel.run('const a: number = 6 * 7; a'));
  const early = memory(kernel.process.pid);
  const next = await time(() => kernel.run('const b = a + 1; b'));
  const trivial = [];
  for (let cell = 0; cell < trivialCells; cell++) {
    trivial.push(await time(() => kernel.run(`a + ${cell}`)));
  }
  const late = memory(kernel.process.pid);
  await kernel.stop();
  return { start, first, early, next, trivial: median(trivial), late };
}

const rows = [
  ['start', 'start until it answers, ms'],
  ['first', 'first cell, ms'],
  ['next', 'a cell with a new declaration, ms'],
  ['trivial', `trivial cell, median of ${trivialCells}, ms`],
  ['early', 'memory after the first cell, MB'],
  ['late', `memory after ${trivialCells + 2} cells, MB`],
];

try {
  const Client = await loadClient();
  const named = kernels();
  const found = new Map(named.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, argv] of named) found.get(name).push(await measure(Client, argv));
    console.log(`round ${round + 1} of ${rounds}`);
  }
  const value = (name, key) => median(found.get(name).map((one) => one[key]));
  const [ours, stock] = named.map(([name]) => name);
  const text = [
    `| ${['', ...found.keys(), 'this / stock'].join(' | ')} |`,
    `| --- | ${[...found.keys(), 'x'].map(() => '--:').join(' | ')} |`,
    ...rows.map(([key, title]) => {
      const values = [...found.keys()].map((name) => value(name, key).toFixed(0));
      return `| ${title} | ${values.join(' | ')} | ${(value(ours, key) / value(stock, key)).toFixed(2)} |`;
    }),
  ].join('\n');
  const machine = `${cpus()[0].model.trim()}, ${cpus().length} cores, Node ${process.versions.node}`;
  const date = new Date().toISOString().slice(0, 10);
  const title = `Medians of ${rounds} rounds in turns, ${date}, ${machine}.`;
  await writeSection('docs/kernel.md', 'speed', `${title}\n\n${text}`);
  const tsv = join(root, 'bench/results/kernel.tsv');
  if (!existsSync(tsv)) {
    mkdirSync(join(root, 'bench/results'), { recursive: true });
    writeFileSync(tsv, 'date\tmachine\trounds\tkernel\tmeasure\tmedian\tleast\tmost\n');
  }
  for (const [name, all] of found) {
    for (const [key, title] of rows) {
      const values = all.map((one) => one[key]).toSorted((a, b) => a - b);
      const numbers = [median(values), values[0], values.at(-1)].map((one) => one.toFixed(1));
      appendFileSync(tsv, `${[date, machine, rounds, name, title, ...numbers].join('\t')}\n`);
    }
  }
  console.log(`\n${title}\n\n${text}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
