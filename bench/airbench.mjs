// Times a training step of airbench94-muon, by this library and by PyTorch in turns on the same machine.
//
//   node bench/airbench.mjs [--rounds 3] [--steps 2] [--stage frozen] [--mode MODE]...
//
// Needs npm run bench:peers. Prints the median seconds of a step and of an epoch of 25 steps, and saves them in
// bench/measured. bench/whole.mjs measures whole runs.
import { join } from 'node:path';
import { cacheRoot } from '../dist/base/cache-root.js';
import { hardwareLine, readHardware } from '../dist/index.js';
import { fastestPrecision } from '../dist/exports/engine.js';
import { optionsOf, wholeNumber } from '../scripts/options.mjs';
import { readPeers } from './processes.mjs';
import { figure, keepRows, now, revision } from './report.mjs';
import { measureInTurns, spread } from './rounds.mjs';

const {
  rounds,
  steps: stepsPerTurn,
  stage,
  mode: asked,
} = optionsOf(
  import.meta.url,
  {
    rounds: { type: 'string', default: '3' },
    steps: { type: 'string', default: '2' },
    stage: { type: 'string', default: 'frozen' },
    mode: { type: 'string', multiple: true },
  },
  {
    read: ({ stage, mode, ...numbers }) => {
      if (!['learning', 'frozen'].includes(stage)) {
        throw new TypeError(`--stage must be learning or frozen; got "${stage}".`);
      }
      const [rounds, steps] = ['rounds', 'steps'].map((name) => wholeNumber(name, numbers[name]));
      return { rounds, steps, stage, mode };
    },
  },
);
const peers = readPeers();
if (peers === undefined) {
  console.error('airbench: PyTorch is not installed. Run npm run bench:peers first.');
  process.exit(1);
}
const data = join(cacheRoot(), 'cifar-10-batches-bin');
const precision = fastestPrecision(readHardware(), false);
// A processor without bf16 instructions emulates them, so that a step takes minutes.
const plain =
  precision === 'bf16' ? ['autocast channels-last', 'bf16 channels-last'] : ['fp32 channels-last'];
const modes = asked ?? [
  ...plain,
  ...(peers.compiles ? plain.map((mode) => `${mode} compiled`) : []),
];
const bytes = 4e9;
const variants = [
  {
    what: 'cifar10-fast',
    precision,
    worker: 'airbench',
    config: { precision, stage, stepsPerTurn, burnIn: stepsPerTurn },
    bytes,
  },
  ...modes.map((mode) => ({
    what: `PyTorch ${peers.version}`,
    precision: mode,
    worker: 'torch-airbench',
    config: { mode, data, stage, burnIn: 1 },
    bytes,
  })),
];
function print() {
  for (const { what, precision, seconds = [], error } of variants) {
    const { n, median, min, max } = spread(seconds);
    const figures =
      error === undefined
        ? `${median.toFixed(2)} s a step (${min.toFixed(2)} to ${max.toFixed(2)}, n = ${n}), ${(25 * median).toFixed(0)} s an epoch`
        : `failed: ${error.trim().split('\n').at(-1)}`;
    console.log(`${what}, ${precision}, ${stage}: ${figures}`);
  }
}

/** Appends rows to bench/measured/airbench.tsv; an epoch has 25 steps. */
function keep() {
  const columns = 'hardware,date,what,precision,stage,n,median s,min s,max s,s an epoch,revision';
  const shared = {
    hardware: hardwareLine(readHardware()),
    date: now(),
    stage,
    revision: revision(),
  };
  const rows = variants
    .filter(({ error }) => error === undefined)
    .map(({ what, precision, seconds }) => {
      const { n, median, min, max } = spread(seconds);
      const times = { 'median s': median, 'min s': min, 'max s': max, 's an epoch': 25 * median };
      const figures = Object.entries(times).map(([name, value]) => [name, figure(value, 4)]);
      return { ...shared, what, precision, n, ...Object.fromEntries(figures) };
    });
  keepRows('airbench', columns.split(','), rows);
}

// If terminated early, prints the measurements so far.
process.on('SIGTERM', () => {
  print();
  process.exit(143);
});
await measureInTurns(variants, {
  stepsPerTurn,
  isEnough: (done) => done >= rounds,
  say: (line) => process.stderr.write(`${line}\n`),
});
print();
keep();
process.exitCode = variants.some(({ error }) => error !== undefined) ? 1 : 0;
