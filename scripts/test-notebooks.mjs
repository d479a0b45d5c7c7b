// Executes every notebook from top to bottom at smoke scale, and compares its outputs with the stored ones: kinds, MIME types,
// and whether pictures are blank. Two notebooks run at a time, each with one thread.
//
//   node scripts/test-notebooks.mjs [NAME…]     in the kernel of .venv; stock:NAME runs it in stock tslab
//
// Default: every notebook, and stock:demo.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeCells, emptiness, execute, names, read, root } from './notebook-files.mjs';
import { optionsOf } from './options.mjs';
import { check, endTally } from './tally.mjs';

const { words } = optionsOf(import.meta.url, {}, { mostWords: Infinity });
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-notebooks-'));
/** The kind of an output: its MIME types, or the name of its stream. */
const kindOf = ({ output_type: type, data, name }) =>
  data === undefined ? (name ?? type) : Object.keys(data).toSorted().join(' + ');

/** The kinds of a cell's outputs. Adjacent pieces of a stream count once, as their number varies. */
const kindsOf = ({ outputs }) =>
  outputs.map(kindOf).filter((kind, index, all) => kind !== all[index - 1] || kind.includes('/'));

/** Installs stock tslab's kernel, without ours, into a folder for `JUPYTER_PATH`. */
function installStock() {
  const spec = join(scratch, 'jupyter/kernels/stock-tslab');
  mkdirSync(spec, { recursive: true });
  const argv = ['node', join(root, 'node_modules/tslab/bin/tslab'), 'kernel'];
  const kernel = { display_name: 'tslab', language: 'typescript' };
  writeFileSync(
    join(spec, 'kernel.json'),
    JSON.stringify({ ...kernel, argv: [...argv, '--config-path', '{connection_file}'] }),
  );
}

/** Whether the source of a cell calls for an output and the cell has none. */
const isSilent = ({ source, outputs }) =>
  /\b(show|trainLive|trialsLive|followLive)\(/.test([source].flat().join('')) &&
  outputs.length === 0;

/** Executes a notebook and checks its outputs. */
async function testNotebook(job) {
  const name = job.replace('stock:', '');
  const kernel = job === name ? 'tslab' : 'stock-tslab';
  const before = read(name);
  const environment = {
    CIFAR10_FAST_SCALE: 'smoke',
    CIFAR10_FAST_RUNS: join(scratch, `${kernel}-${name}`),
    TF_NUM_INTRAOP_THREADS: '1',
    ...(job === name ? {} : { JUPYTER_PATH: join(scratch, 'jupyter') }),
  };
  const target = join(scratch, `${kernel}-${name}.ipynb`);
  const { notebook, seconds, error } = await execute(name, target, environment, { kernel });
  console.log(`${name}, kernel ${kernel}: ${seconds.toFixed(1)} s`);
  check('every cell runs', error === undefined ? [] : [error]);
  const cells = codeCells(notebook);
  if (before.metadata.cifar10_fast === undefined) {
    console.log('       has no stored outputs to compare with');
    const silent = cells.filter(isSilent).map(({ id }) => id);
    check('every cell that shows something does', silent);
  } else {
    const shown = (cell) => {
      const kinds = kindsOf(cell);
      // The number of such outputs depends on the machine (a chart per precision, say), so adjacent ones count once.
      const isVarying = cell.metadata.tags?.includes('varies') === true;
      return (isVarying ? kinds.filter((kind, index) => kind !== kinds[index - 1]) : kinds).join(
        '; ',
      );
    };
    const kept = new Map(codeCells(before).map((cell) => [cell.id, shown(cell)]));
    const faults = cells.flatMap((cell) => {
      const [now, then] = [shown(cell), kept.get(cell.id)];
      return now === then ? [] : [`${cell.id}: shows [${now}], keeps [${then}]`];
    });
    check('every cell shows outputs of the stored kinds', faults);
  }
  check('no picture is blank, and every output has a text', cells.flatMap(emptiness));
}

// The longest first, so that neither worker is idle at the end.
const long = ['experiments', 'engine', 'batch_norm', 'bag_of_tricks'];
const others = names().filter((name) => !long.includes(name));
const jobs = words.length > 0 ? words : [...long, ...others, 'stock:demo'];
if (jobs.some((job) => job.startsWith('stock:'))) installStock();
const work = async () => {
  while (jobs.length > 0) await testNotebook(jobs.shift());
};
await Promise.all([work(), work()]);
rmSync(scratch, { recursive: true, force: true });
endTally();
