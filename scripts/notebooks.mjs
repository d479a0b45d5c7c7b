// Writes, executes and checks the notebooks of notebooks/ (docs/notebooks.md).
//
//   node scripts/notebooks.mjs text NAME              prints a notebook as a page of Markdown
//   node scripts/notebooks.mjs write NAME FILE        creates the notebook from such a page; unchanged cells keep their outputs
//   node scripts/notebooks.mjs run NAME…              executes notebooks and stores their outputs (CIFAR10_FAST_SCALE: the scale)
//   node scripts/notebooks.mjs run --reuse NAME…      the same, but takes over finished runs in place of training them again
//   node scripts/notebooks.mjs restamp NAME…          marks the stored outputs as current, for edits that cannot change them
//   node scripts/notebooks.mjs times                  executes all at smoke scale; `run` and `times` write the table of times
//   node scripts/notebooks.mjs check                  exit code 1 if outputs do not match the cells and experiments
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  codeCells,
  execute,
  fail,
  fileOf,
  hashes,
  library,
  names,
  parse,
  print,
  read,
  root,
  sourceOf,
  write,
} from './notebook-files.mjs';
import { optionsOf } from './options.mjs';
import { writeSection } from './sections.mjs';

function writeFrom(name, file) {
  const notebook = parse(readFileSync(file, 'utf8'));
  const before = existsSync(fileOf(name)) ? read(name) : { cells: [], metadata: {} };
  const known = new Map(codeCells(before).map((cell) => [cell.id, cell]));
  notebook.cells = notebook.cells.map((cell) => {
    const old = known.get(cell.id);
    const isSame = old !== undefined && sourceOf(old) === cell.source;
    return isSame ? { ...old, source: cell.source } : cell;
  });
  const { cifar10_fast: made } = before.metadata;
  if (made !== undefined) notebook.metadata = { ...notebook.metadata, cifar10_fast: made };
  write(fileOf(name), notebook);
}

async function run(name, isReusing) {
  const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-notebook-'));
  try {
    const environment = isReusing ? { CIFAR10_FAST_REUSE: '1' } : {};
    const target = join(scratch, 'out.ipynb');
    const { notebook, seconds, error } = await execute(name, target, environment);
    if (error !== undefined) fail(`${name} failed, and its file is unchanged:\n${error}`);
    const { notebookScale, hardwareLine, readHardware } = library();
    notebook.metadata.cifar10_fast = {
      ...hashes(name, notebook),
      date: new Date().toISOString().slice(0, 10),
      hardware: hardwareLine(readHardware()),
      scale: notebookScale(),
      seconds: Math.round(seconds),
      ...(isReusing ? { reuse: true } : {}),
    };
    write(fileOf(name), notebook);
    console.log(`${name}: ${seconds.toFixed(0)} s`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
  await writeTimes(...knownTimes());
}

/** Measures the execution of every notebook at smoke scale, and writes the table of times. */
async function measureTimes() {
  const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-notebook-'));
  const { hardwareLine, readHardware } = library();
  const smoke = new Map();
  try {
    for (const name of names()) {
      const environment = { CIFAR10_FAST_SCALE: 'smoke', CIFAR10_FAST_RUNS: scratch };
      const { seconds, error } = await execute(name, join(scratch, 'out.ipynb'), environment);
      if (error !== undefined) fail(`${name} failed:\n${error}`);
      smoke.set(name, spent(seconds));
      console.log(`${name}: ${spent(seconds)}`);
    }
  } finally {
    rmSync(scratch, { recursive: true });
  }
  await writeTimes(hardwareLine(readHardware()), smoke);
}

const spent = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds) % 60).padStart(2, '0')}`;

/** The times at smoke scale that the table has, and the machine that they were measured on. */
function knownTimes() {
  const page = readFileSync(join(root, 'docs/notebooks.md'), 'utf8');
  const [, machine = ''] = /^On (.+); minutes and seconds\.$/m.exec(page) ?? [];
  const rows = page.matchAll(/^\| `(\w+)` +\| +(\d+:\d+|-) \|/gm);
  return [machine, new Map(Array.from(rows, ([, name, time]) => [name, time]))];
}

/**
 * Writes the table of execution times: at smoke scale, and of the execution that made the stored outputs.
 *
 * @param machine where the times at smoke scale were measured
 */
async function writeTimes(machine, smoke) {
  const rows = names().map((name) => {
    const notebook = read(name);
    const made = notebook.metadata.cifar10_fast;
    if (made === undefined) return `| \`${name}\` | ${smoke.get(name) ?? '-'} | - |`;
    const sec = reusedSec(notebook);
    // Outputs of earlier versions do not say how long their reused runs took.
    const runs = sec > 0 ? `, and ${spent(sec)} of reused runs` : ', besides reused runs';
    const reused = made.reuse ? runs : '';
    const where = made.hardware === machine ? '' : `, on ${made.hardware}`;
    const what = `${made.scale}, ${made.date}${where}`;
    return `| \`${name}\` | ${smoke.get(name) ?? '-'} | ${spent(made.seconds)}${reused} (${what}) |`;
  });
  const columns = '| notebook | smoke | execution that made its outputs |\n| --- | ---: | --- |';
  const text = `On ${machine}; minutes and seconds.\n\n${columns}\n${rows.join('\n')}`;
  await writeSection('docs/notebooks.md', 'times', text);
}

/** Training seconds of the runs that an execution reused, read from its outputs. */
function reusedSec(notebook) {
  const texts = codeCells(notebook).flatMap(({ outputs }) =>
    outputs.map(({ data }) => [data?.['text/html'] ?? ''].flat().join('')),
  );
  const taken = texts.flatMap((text) => [
    ...text.matchAll(/finished before, started on [^<]*?, ([\d.]+) s of training/g),
  ]);
  return taken.reduce((sum, [, seconds]) => sum + Number(seconds), 0);
}

/** Whether a notebook has not been executed yet, so that it has no outputs that could be out of date. */
function isEmpty(notebook) {
  return (
    notebook.metadata.cifar10_fast === undefined &&
    codeCells(notebook).every(({ outputs }) => outputs.length === 0)
  );
}

/** Why the outputs of a notebook are out of date or incomplete; empty if they are neither. */
function faults(name) {
  const notebook = read(name);
  const made = notebook.metadata.cifar10_fast;
  if (made === undefined) {
    return isEmpty(notebook) ? [] : ['holds outputs of unknown origin'];
  }
  const now = hashes(name, notebook);
  return [
    ...(made.code === now.code
      ? []
      : ['its code cells are not those that its outputs were made with']),
    ...(made.records === now.records
      ? []
      : ['its experiments have changed since its outputs were made']),
    ...(made.scale === 'smoke'
      ? ['its outputs are of smoke scale, which is too small to show anything']
      : []),
    ...codeCells(notebook).flatMap(({ id, execution_count: count, outputs }) => [
      ...(count === null ? [`the cell "${id}" was not executed`] : []),
      ...(outputs.some((output) => output.output_type === 'error')
        ? [`the cell "${id}" failed`]
        : []),
    ]),
  ];
}

/** Marks the outputs of a notebook as those of its present cells. */
function restamp(name) {
  const notebook = read(name);
  if (notebook.metadata.cifar10_fast === undefined) fail(`${name} has no outputs.`);
  const { code } = hashes(name, notebook);
  write(fileOf(name), {
    ...notebook,
    metadata: { ...notebook.metadata, cifar10_fast: { ...notebook.metadata.cifar10_fast, code } },
  });
}

function check() {
  const found = names().flatMap((name) => faults(name).map((fault) => `${name}: ${fault}`));
  for (const fault of found) console.error(`notebooks: ${fault}`);
  if (found.length > 0) fail('Run: node scripts/notebooks.mjs run NAME');
  const waiting = names().filter((name) => isEmpty(read(name)));
  for (const name of waiting) {
    console.log(`${name} was not executed yet. Run: node scripts/notebooks.mjs run ${name}`);
  }
  console.log(
    `${names().length - waiting.length} notebooks hold the outputs of their cells and experiments`,
  );
}

/** Each command, and the fewest and the most names that it takes. */
const commands = {
  text: { least: 1, most: 1, run: (name) => process.stdout.write(print(read(name))) },
  write: { least: 2, most: 2, run: writeFrom },
  run: {
    least: 1,
    most: Infinity,
    run: async (...given) => {
      for (const name of given) await run(name, reuse);
    },
  },
  restamp: { least: 1, most: Infinity, run: (...given) => given.forEach(restamp) },
  times: { least: 0, most: 0, run: measureTimes },
  check: { least: 0, most: 0, run: check },
};

const {
  command,
  args,
  reuse = false,
} = optionsOf(
  import.meta.url,
  { reuse: { type: 'boolean' } },
  {
    mostWords: Infinity,
    read: ({ words: [word, ...rest], reuse: isReusing }) => {
      const { least, most } = commands[word] ?? {};
      if (!(rest.length >= least && rest.length <= most) || (isReusing && word !== 'run'))
        throw new TypeError(`"${[word ?? '', ...rest].join(' ')}" is not one of these commands:`);
      return { command: word, args: rest, reuse: isReusing };
    },
  },
);
await commands[command].run(...args);
