// npm run bench:gpu: measures training on a GPU, in parts that obey a time limit and resume where they stopped. docs/gpu.md
// explains how to run it on a machine without a network, and what the numbers mean.
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readHardware } from 'cifar10-fast';
import { summarise } from 'cifar10-fast/studies';
import { wholeNumber } from '../scripts/options.mjs';
import { measureTorch, openSitting, torchName, trainSeeds } from './gpu-sitting.mjs';
import { figure, keepRows, table } from './report.mjs';
import { spread } from './rounds.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const usage = `usage: npm run bench:gpu -- --part speed|dawn|runs [options]

  --part NAME    speed: images/s of ResNet-9 in every variant, and of PyTorch; dawn: dawn and new-dawn over several seeds;
                 runs: the 16 runs of posts 1 to 4, at full scale
  --seconds N    time limit in seconds (default 440); run again to resume
  --seeds N      of dawn (default 10)
  --engine JSON  of dawn and runs, as in '{"precision":"bf16","xla":true}' (default: the fastest that speed has found)
  --only TEXT    of speed: measure only variants whose name contains TEXT; may be repeated, as in --only bf16 --only PyTorch
  --each N       of speed: give up on a variant after N seconds (default: what is left of --seconds)
  --no-peer      of speed: leave PyTorch out
  --state FILE   file of results, read to resume (default bench/measured/gpu.jsonl)
  --tiny         smoke scale; works without a GPU, too
  --help         this text

Exit codes: 0 everything of the part is measured, 1 something failed, 2 wrong usage, 3 no GPU, 4 time limit reached.
`;

const runs = (
  'post1-baseline post1-main-thread post2-batch-512 post3-fast-batch-norm post3-cutout post3-batch-768 post4-backbone ' +
  'post4-no-repeat post4-conv-3x3 post4-max-pool post4-global-max-pool post4-scales post4-double-width ' +
  'post4-extra-layers post4-final-20 post4-final-24'
).split(' ');

/** The variants of the part `speed`: precision, XLA, steps per call, and XLA's layout of convolutions. */
function speedVariants(isTiny) {
  const few = isTiny ? 2 : 16;
  const xla = { xla: true, xlaScope: 'step' };
  const layout = (name) => ({ XLA_FLAGS: `--xla_gpu_force_conv_${name}=true` });
  return [
    { name: 'fp16, an epoch a call, XLA', engine: { precision: 'fp16', ...xla } },
    { name: 'bf16, an epoch a call, XLA', engine: { precision: 'bf16', ...xla } },
    { name: 'fp16, a step a call', engine: { precision: 'fp16', stepsPerCall: 1 } },
    { name: 'fp16, a step a call, XLA', engine: { precision: 'fp16', stepsPerCall: 1, ...xla } },
    { name: `fp16, ${few} steps a call`, engine: { precision: 'fp16', stepsPerCall: few } },
    { name: `bf16, ${few} steps a call`, engine: { precision: 'bf16', stepsPerCall: few } },
    {
      name: `fp16, ${few} steps a call, regions by XLA`,
      engine: { precision: 'fp16', stepsPerCall: few, xla: true, xlaScope: 'regions' },
    },
    ...['nchw', 'nhwc'].map((name) => ({
      name: `fp16, an epoch a call, XLA, ${name.toUpperCase()}`,
      engine: { precision: 'fp16', ...xla },
      env: layout(name),
    })),
    { name: 'fp32, an epoch a call, XLA', engine: { precision: 'fp32', ...xla } },
  ];
}

const torchModes = ['fp16 compiled', 'fp16 graphs', 'bf16 compiled', 'fp16 eager'];

function readFlags() {
  const { values } = parseArgs({
    options: {
      part: { type: 'string' },
      seconds: { type: 'string', default: '440' },
      seeds: { type: 'string', default: '10' },
      engine: { type: 'string' },
      only: { type: 'string', multiple: true, default: [] },
      each: { type: 'string' },
      'no-peer': { type: 'boolean', default: false },
      state: { type: 'string' },
      tiny: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (!values.help && !['speed', 'dawn', 'runs'].includes(values.part)) {
    throw new TypeError(`--part is "${values.part ?? ''}". Give speed, dawn or runs.`);
  }
  const names = [
    ...speedVariants(values.tiny).map(({ name }) => name),
    ...torchModes.map(torchName),
  ];
  const stray = values.only.find((text) => !names.some((name) => name.includes(text)));
  if (stray !== undefined) {
    throw new TypeError(`--only "${stray}" matches no variant. Variants: ${names.join('; ')}.`);
  }
  return {
    ...values,
    seconds: wholeNumber('seconds', values.seconds),
    seeds: wholeNumber('seeds', values.seeds),
    each: values.each === undefined ? Infinity : wholeNumber('each', values.each),
    engine: values.engine === undefined ? undefined : JSON.parse(values.engine),
    state: resolve(values.state ?? join(here, 'measured/gpu.jsonl')),
  };
}

async function main() {
  let flags;
  try {
    flags = readFlags();
  } catch (error) {
    console.error(`bench:gpu: ${error.message}\n\n${usage}`);
    return 2;
  }
  if (flags.help) {
    console.log(usage);
    return 0;
  }
  const { gpus } = readHardware();
  if (gpus.length === 0 && !flags.tiny) {
    console.error(
      'bench:gpu: nvidia-smi lists no GPU on this machine. --tiny tries out the parts without one.',
    );
    return 3;
  }
  const sitting = openSitting({ ...flags, isTiny: flags.tiny });
  const measure = { speed: measureSpeed, dawn: trainDawn, runs: trainRuns };
  const before = sitting.known.length;
  const isWhole = await measure[flags.part](sitting, flags);
  // Rows of earlier starts have been saved already.
  const found = sitting.known.slice(before).filter(isMeasured).map(speedRow);
  if (found.length > 0 && !flags.tiny)
    console.log(`kept in ${keepRows('gpu', speedColumns, found)}`);
  if (!isWhole)
    console.log(`bench:gpu: time limit reached; run it again to resume from ${flags.state}.`);
  return sitting.failed() > 0 ? 1 : isWhole ? 0 : 4;
}

/** Measures images per second of every variant and of PyTorch. @returns false if the time limit was reached */
async function measureSpeed(sitting, flags) {
  const { isTiny } = sitting;
  const isWanted = (name) =>
    flags.only.length === 0 || flags.only.some((text) => name.includes(text));
  for (const { name, engine, env } of speedVariants(isTiny)) {
    if (!isWanted(name)) continue;
    // By default the trainer runs a whole epoch per call on a GPU only.
    const all = isTiny && engine.stepsPerCall === undefined ? { stepsPerCall: 4 } : {};
    const config = { record: 'demo', seeds: [0], epochs: isTiny ? 1 : 4 };
    // Only four steps of 16 images, because XLA's 16-bit convolutions are extremely slow on a CPU.
    if (isTiny)
      config.overrides = { 'data.batchSize': 16, 'data.subset': { train: 64, valid: 32 } };
    if (sitting.isLate()) return false;
    const given = { ...config, engine: { ...engine, ...all } };
    if (!(await trainSeeds(sitting, name, given, env))) return false;
  }
  for (const mode of flags['no-peer'] ? [] : torchModes) {
    if (!isWanted(torchName(mode))) continue;
    if (!(await measureTorch(sitting, mode))) return false;
  }
  printSpeed(sitting.known);
  return true;
}

/** Prints all variants measured so far, the fastest first. */
function printSpeed(known) {
  const rows = known
    .filter(isMeasured)
    .map(speedRow)
    .toSorted((a, b) => b['images/s'] - a['images/s'])
    .map((row) => speedColumns.slice(2).map((column) => row[column]));
  console.log(`\n${table([speedColumns.slice(2), ...rows])}`);
}

const isMeasured = (row) => row.part === 'speed' && row.imagesPerSec !== undefined;

const speedColumns =
  'date,hardware,variant,peer,n,images/s,median epoch s,best epoch s,warm-up s'.split(',');

/** The row of a variant as it is printed and saved; images/s is that of the median epoch. */
function speedRow(row) {
  const { date, hardware, name, tensorflow, epochSec, imagesPerSec, warmUpSec } = row;
  const { peer = `TensorFlow ${tensorflow}` } = row;
  const seconds = epochSec.reduce((sum, sec) => sum + sec, 0);
  const { median: middle } = spread(epochSec);
  return {
    date,
    hardware,
    variant: name,
    peer,
    n: String(epochSec.length),
    'images/s': figure((imagesPerSec * seconds) / epochSec.length / middle, 4),
    'median epoch s': figure(middle, 3),
    'best epoch s': figure(Math.min(...epochSec), 3),
    'warm-up s': figure(warmUpSec, 3),
  };
}

/** The engine of `--engine`, else the fastest measured one whose losses are finite, else half precision with XLA. */
function fastestEngine({ known }, flags) {
  if (flags.engine !== undefined) return flags.engine;
  const [best] = known
    .filter((row) => row.part === 'speed' && row.engine !== undefined && row.env === undefined)
    .filter(({ losses }) => losses.every(Number.isFinite))
    .toSorted((a, b) => b.imagesPerSec - a.imagesPerSec);
  return best?.engine ?? { precision: 'fp16', xla: true, xlaScope: 'step' };
}

/** Trains the two scripts of the study over several seeds. @returns false if the time limit was reached */
async function trainDawn(sitting, flags) {
  const engine = fastestEngine(sitting, flags);
  const seeds = Array.from({ length: sitting.isTiny ? 2 : flags.seeds }, (_, seed) => seed);
  for (const record of ['dawn', 'new-dawn']) {
    if (!(await trainSeeds(sitting, record, { record, seeds, engine }))) return false;
    const done = sitting.known.filter((row) => row.name === record && row.accPercent !== undefined);
    const acc = summarise(done.map(({ ttaAccPercent, accPercent }) => ttaAccPercent ?? accPercent));
    const hits = done.filter((row) => (row.ttaAccPercent ?? row.accPercent) >= 94).length;
    const sec = summarise(done.map(({ trainSec }) => trainSec));
    console.log(
      `${record}: mean ${acc.mean.toFixed(2)} %, ${hits} of ${done.length} at 94 %, mean ${figure(sec.mean)} s of training`,
    );
  }
  return true;
}

/** Trains the runs of posts 1 to 4. @returns false if the time limit was reached */
async function trainRuns(sitting, flags) {
  const engine = fastestEngine(sitting, flags);
  for (const record of sitting.isTiny ? runs.slice(0, 2) : runs) {
    if (sitting.isLate()) return false;
    if (!(await trainSeeds(sitting, record, { record, seeds: [0], engine }))) return false;
  }
  return true;
}

process.once('SIGINT', () => process.exit(130));
process.exitCode = await main();
