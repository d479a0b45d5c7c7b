// Trains to 94 % twice on this machine, one after the other: `fastest` here, then airbench94-muon in PyTorch.
//
//   node bench/whole.mjs [--seed 20] [--mode MODE] [--run FOLDER]
//
// Needs npm run bench:peers. Prints accuracy and seconds, final evaluation included, and saves them in bench/measured. The run
// here stays in runs/; --run takes one that has just ended, as in --run runs/fastest-full-20, instead of training another. On
// two cores with AVX2, PyTorch takes an hour. Leave the machine alone until the end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheRoot } from '../dist/base/cache-root.js';
import { fastestPrecision } from '../dist/exports/engine.js';
import { hardwareLine, readHardware } from '../dist/index.js';
import { optionsOf } from '../scripts/options.mjs';
import { peerCommand, peerEnvironment, readPeers } from './processes.mjs';
import { figure, keepRows, now, revision } from './report.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const given = optionsOf(import.meta.url, {
  seed: { type: 'string', default: '20' },
  mode: { type: 'string' },
  run: { type: 'string' },
});
const peers = readPeers();
if (peers === undefined) fail('PyTorch is not installed. Run npm run bench:peers first.');
const hardware = hardwareLine(readHardware());

/** Prints a message and exits with 1. */
function fail(message) {
  console.error(`whole: ${message}`);
  process.exit(1);
}

/** Runs a command, whose standard error stays visible; resolves with its standard output. */
async function outputOf(command, args, env) {
  const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  const [code, signal] = await once(child, 'close');
  if (code !== 0) fail(`${command} ${args[0]} ended with ${signal ?? code}.`);
  return text;
}

/** Trains `fastest` here; returns the folder of the run. */
async function trainHere() {
  const args = ['dist/cli/main.js', 'train', 'fastest', '--scale', 'full', '--seed', given.seed];
  const line = (await outputOf(process.execPath, [...args, '--json'], process.env)).trim();
  return JSON.parse(line.split('\n').at(-1)).folder;
}

/** The row of a finished run of `fastest` on this machine. */
function rowOf(folder) {
  const path = join(folder, 'run.json');
  const run = JSON.parse(readFileSync(path, 'utf8'));
  const { record, scale, result, precision, seed } = run;
  if (result === undefined) fail(`${path} has no result: the run has not ended.`);
  if (record !== 'fastest' || scale !== 'full') {
    fail(`${path} is a run of ${record} at ${scale} scale; give one of fastest at full scale.`);
  }
  const machine = hardwareLine(run.hardware);
  if (machine !== hardware) fail(`${path} is from another machine: ${machine}. Here: ${hardware}.`);
  const { accPercent, trainSec, evaluationSec } = result;
  const own = { what: 'cifar10-fast', recipe: record, precision, seed, accPercent };
  return { ...own, trainSec, seconds: trainSec + evaluationSec };
}

/** Trains airbench94-muon in PyTorch; returns its row. */
async function trainPeer() {
  const number = fastestPrecision(readHardware(), false) === 'bf16' ? 'autocast' : 'fp32';
  const mode = given.mode ?? `${number} channels-last${peers.compiles ? ' compiled' : ''}`;
  const data = join(cacheRoot(), 'cifar-10-batches-bin');
  const [command, ...args] = peerCommand('airbench_torch.py', '--whole', data, '--mode', mode);
  const found = JSON.parse(await outputOf(command, args, peerEnvironment()));
  const { version, seed, accPercent, trainSec, seconds } = found;
  const what = `PyTorch ${version}`;
  return { what, recipe: 'airbench94-muon', precision: mode, seed, accPercent, trainSec, seconds };
}

const rows = [rowOf(given.run ?? (await trainHere())), await trainPeer()];
for (const { what, recipe, precision, accPercent, seconds } of rows) {
  const times = (seconds / rows[0].seconds).toFixed(2);
  console.log(
    `${what}, ${recipe}, ${precision}: ${accPercent.toFixed(2)} % in ${seconds.toFixed(0)} s (${times} x)`,
  );
}
const columns = 'hardware,date,what,recipe,precision,seed,accuracy %,training s,s,revision';
const date = now();
keepRows(
  'whole',
  columns.split(','),
  rows.map(({ accPercent, trainSec, seconds, ...row }) => ({
    ...row,
    hardware,
    date,
    'accuracy %': accPercent.toFixed(2),
    'training s': figure(trainSec, 4),
    s: figure(seconds, 4),
    revision: revision(),
  })),
);
