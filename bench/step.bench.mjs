// A training step of ResNet-9, images a second: captured, eager, model.fit, PyTorch, and matrix products as the limit.
import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { hardwareLine, readHardware } from 'cifar10-fast';
import { fastestPrecision } from 'cifar10-fast/engine';
import { flopsPerImage, writeProblem } from './problem.mjs';
import { readPeers, startWorker } from './processes.mjs';
import { figure, keepRows, makeSay, now, revision, table } from './report.mjs';
import { measureInTurns, spread } from './rounds.mjs';
import {
  layersVariant,
  matmulVariant,
  screenTorch,
  torchModes,
  torchVariant,
  trainerVariant,
} from './variants.mjs';

const columns = [
  'hardware',
  'date',
  'what',
  'batch',
  'precision',
  'n',
  'median ms',
  'min ms',
  'max ms',
  'img/s',
  'GFLOP/s',
  'cores',
  'peak MB',
  'revision',
];

const convolutionColumns = [
  'hardware',
  'date',
  'pass',
  'shape',
  'algorithm',
  'ms',
  'difference',
  'chosen',
  'revision',
];

/** With `--quick`, rounds begin for so many seconds; two are the least. */
const quickSec = 25;

/**
 * Measures a training step at each batch size, in turns, and prints and keeps what came of it.
 *
 * The ratios of the result are those of the largest batch. The limit is the faster of two matrix products, our own and
 * PyTorch's, in the precision of the captured step.
 *
 * @returns `result`, the line of `--json`, and `faults`, what went wrong
 */
export async function measureSteps({ quick, batches, rounds = 5, xla }) {
  const sizes = (batches ?? (quick ? [64] : [512, 128])).toSorted((a, b) => b - a);
  const hardware = readHardware();
  const precision = fastestPrecision(hardware, false);
  const precisions = [...new Set(['fp32', precision])];
  const peers = readPeers();
  const say = makeSay();
  const problem = writeProblem('full', Math.max(...sizes));
  const flops = flopsPerImage('full');
  const context = { hardware: hardwareLine(hardware), date: now(), revision: revision() };
  const faults = [];

  console.log(`${context.hardware}${quick ? ' (quick: says little)' : ''}`);
  console.log(
    `ResNet-9 training step, ${figure(flops / 1e9)} GFLOP an image; Node ${process.versions.node}; ` +
      (peers === undefined
        ? 'PyTorch is not set up, npm run bench:peers does that'
        : `PyTorch ${peers.version}${peers.compiles ? '' : ', without torch.compile'}`),
  );
  const busy = await busyCores();
  if (busy > 0.1) {
    console.log(
      `Something else keeps ${figure(busy, 2)} cores busy: what follows depends on it, too.`,
    );
  }
  const modes = [];
  if (peers !== undefined) {
    // The fastest on most machines, without a search.
    const usual = `${precision === 'fp32' ? 'fp32' : 'autocast'} channels-last`;
    modes.push(...(quick ? [usual] : await screen()));
  }

  const measured = [];
  let captureSeconds;
  for (const [index, batch] of sizes.entries()) {
    const config = { batch, problem, burnIn: quick ? 1 : 2 };
    const product = quick ? { size: 2048, chain: 4 } : { size: 4096, chain: 3 };
    const variants = [
      trainerVariant('eager', 'fp32', { ...config, augment: true }),
      ...precisions.map((number) =>
        trainerVariant('captured', number, { ...config, burnIn: 2, augment: true }),
      ),
      ...(xla
        ? [trainerVariant('captured', precision, { ...config, burnIn: 2, augment: true, xla })]
        : []),
      layersVariant(config),
      ...modes.map((mode) => torchVariant(mode, config)),
      // The limit does not depend on the batch: once a sitting will do.
      ...(index > 0
        ? []
        : ['matmul', ...(peers === undefined ? [] : ['torch'])].flatMap((worker) =>
            precisions.map((number) => matmulVariant(worker, number, product)),
          )),
    ];
    if (!quick) await chooseAlgorithms(config);
    captureSeconds ??= await measureStarts(config);
    const start = performance.now();
    await measureInTurns(variants, {
      stepsPerTurn: quick ? 1 : 2,
      isEnough: (done) =>
        quick ? done >= 2 && performance.now() - start > quickSec * 1000 : done >= rounds,
      say: (text) => say(`batch ${batch}, ${text}`),
    });
    for (const variant of variants) measured.push(describe(variant, batch));
  }
  say.done();
  const limit = limits(measured);
  print(measured, limit);
  const path = keepRows(quick ? 'quick' : 'step', columns, measured.map(rowOf));
  const result = resultOf(measured, limit);
  console.log(`\n${summary(result)}\nRows in ${path}`);
  return { result, faults };

  /**
   * Runs a step of each precision, so that what a machine measures once has been measured, and keeps what came of it.
   */
  async function chooseAlgorithms(config) {
    for (const number of precisions) {
      say(`measuring convolutions, ${number}`);
      const variant = trainerVariant('captured', number, { ...config, burnIn: 1, augment: true });
      const worker = await startWorker(variant.worker, variant.config);
      await worker.close();
      const rows = worker.ready.algorithms;
      keepRows('convolutions', convolutionColumns, rows.flatMap(convolutionRows));
      console.log(`\n${convolutionTable(rows)}`);
    }
    say.done();
  }

  /**
   * What the first two steps take beyond two steady ones: the median of three processes, of one if quick, before any other
   * is there. Within the rounds most of it would be the price of fresh memory on a machine that is full of the others.
   */
  async function measureStarts(config) {
    const found = [];
    for (let left = quick ? 1 : 3; left > 0; left--) {
      say(`first steps, ${left} to go`);
      const variant = trainerVariant('captured', precision, {
        ...config,
        burnIn: 4,
        augment: true,
      });
      const worker = await startWorker(variant.worker, variant.config);
      await worker.close();
      const [first, second, third, fourth] = worker.ready.seconds;
      found.push(first + second - third - fourth);
    }
    return spread(found).median;
  }

  function convolutionTable(rows) {
    const names = [
      ...new Set(rows.flatMap(({ candidates }) => candidates.map(({ algorithm }) => algorithm))),
    ];
    return table([
      ['ms of a pass, once a machine', ...names, 'chosen'],
      ...rows.map(({ pass, shape, candidates, chosen }) => [
        `${pass} ${shape}`,
        ...names.map((name) => figure(candidates.find(({ algorithm }) => algorithm === name)?.ms)),
        chosen,
      ]),
    ]);
  }

  function convolutionRows({ pass, shape, candidates, chosen }) {
    return candidates.map(({ algorithm, ms, difference }) => ({
      ...context,
      pass,
      shape,
      algorithm,
      ms: ms.toFixed(2),
      difference: difference.toExponential(1),
      chosen: algorithm === chosen ? 'chosen' : '',
    }));
  }

  /** Finds PyTorch's three fastest modes, and keeps what every mode did. */
  async function screen() {
    const config = { batch: Math.min(128, ...sizes), problem };
    const hasAmx = hardware.cpuFlags.includes('amx_bf16');
    const all = torchModes({ compiles: peers.compiles, hasAmx });
    const { found, failed } = await screenTorch(all, config, say);
    say.done();
    const rows = found.map(({ mode, ...times }) => {
      const { what, precision: number } = torchVariant(mode, config);
      return { what, precision: number, times, ...rates(config.batch, times) };
    });
    const marked = rows.map((row) => rowOf({ ...row, what: `${row.what} (screening)` }));
    keepRows('step', columns, marked);
    console.log(`\nPyTorch's modes at batch ${config.batch}, two steps each, img/s`);
    console.log(table(rows.map(({ what, imagesPerSec }) => [what, figure(imagesPerSec)])));
    for (const { mode, error } of failed) faults.push(`PyTorch ${mode}: ${error}`);
    return found.slice(0, 3).map(({ mode }) => mode);
  }

  function rates(batch, { median }) {
    return { batch, imagesPerSec: batch / median, gflops: (flops * batch) / median / 1e9 };
  }

  /** What the rounds came to for a variant; a fault where it failed, or did not learn. */
  function describe(variant, batch) {
    const { what, losses, gflop, error } = variant;
    const name = `${what} ${variant.precision}, batch ${batch}`;
    if (error !== undefined) faults.push(`${name}: ${error}`);
    else if (gflop === undefined && !(losses.at(-1) < losses[0])) {
      faults.push(`${name}: the loss does not fall: ${losses.join(', ')}`);
    }
    const times = spread(variant.seconds);
    const cpuSec = variant.answers.reduce((sum, answer) => sum + answer.cpuSec, 0);
    return {
      ...variant,
      times,
      cores: cpuSec / variant.seconds.reduce((sum, seconds) => sum + seconds, 0),
      ...(gflop === undefined ? rates(batch, times) : { gflops: gflop / times.median }),
    };
  }

  function rowOf({ what, precision: number, times, ...one }) {
    const { batch, imagesPerSec, gflops, cores, peakBytes } = one;
    return {
      ...context,
      what,
      precision: number,
      batch,
      n: times.n,
      'median ms': (1000 * times.median).toFixed(1),
      'min ms': (1000 * times.min).toFixed(1),
      'max ms': (1000 * times.max).toFixed(1),
      'img/s': imagesPerSec?.toFixed(1),
      'GFLOP/s': gflops.toFixed(1),
      cores: cores?.toFixed(2),
      'peak MB': peakBytes === undefined ? '' : Math.round(peakBytes / 1e6),
    };
  }

  /** The rate of the faster matrix product in each precision. */
  function limits(all) {
    return new Map(
      precisions.map((number) => {
        const products = all.filter(({ gflop, precision: own }) => gflop && own === number);
        return [number, Math.max(...products.map(({ gflops }) => gflops).filter(Number.isFinite))];
      }),
    );
  }

  function print(all, limit) {
    const titles = 'n,median ms,min,max,img/s,GFLOP/s,of limit,cores,peak MB'.split(',');
    const row = ({ what, precision: number, times, imagesPerSec, gflops, cores, peakBytes }) => [
      what.startsWith('PyTorch') && imagesPerSec ? what : `${what} ${number}`,
      String(times.n),
      ...[times.median, times.min, times.max].map((sec) => figure(1000 * sec, 4)),
      figure(imagesPerSec),
      figure(gflops),
      limit.has(number) ? `${figure((100 * gflops) / limit.get(number))} %` : '-',
      figure(cores),
      figure(peakBytes / 1e6, 4),
    ];
    for (const batch of sizes) {
      const own = all.filter((one) => one.batch === batch);
      console.log(`\n${table([[`batch ${batch}`, ...titles], ...own.map(row)])}`);
    }
    console.log(
      `\n${table([['the limit', ...titles], ...all.filter(({ gflop }) => gflop).map(row)])}`,
    );
  }

  /** The numbers that the project is judged by, of the largest batch. */
  function resultOf(all, limit) {
    const own = all.filter(({ batch }) => batch === sizes[0]);
    const find = (what, number) => own.find((one) => one.what === what && one.precision === number);
    const captured = find('captured', precision);
    const torch = own
      .filter(({ worker, seconds }) => worker === 'torch' && seconds.length > 0)
      .toSorted((a, b) => b.imagesPerSec - a.imagesPerSec)[0];
    const over = (other) => captured.imagesPerSec / other.imagesPerSec;
    return {
      capturedOverEager: over(find('TF.js eager', 'fp32')),
      capturedOverModelFit: over(find('tf.layers model.fit', 'fp32')),
      capturedOverPyTorch: torch === undefined ? null : over(torch),
      ofMatmulPeak: captured.gflops / limit.get(precision),
      hostShare: hostShareOf(captured),
      captureSeconds,
      peakMemoryOverPyTorch: torch === undefined ? null : captured.peakBytes / torch.peakBytes,
      quick,
      batch: sizes[0],
      precision,
      imagesPerSec: captured.imagesPerSec,
      fp32ImagesPerSec: find('captured', 'fp32').imagesPerSec,
      pyTorchMode: torch?.what ?? null,
      tensorflow: captured.readies[0]?.version,
      hardware: context.hardware,
    };
  }
}

/** How many processors are at work, on whatever it is, while we wait for a second. */
async function busyCores() {
  const total = (key) => cpus().reduce((sum, { times }) => sum + key(times), 0);
  const idle = ({ idle }) => idle;
  const all = (times) => Object.values(times).reduce((sum, time) => sum + time, 0);
  const before = { idle: total(idle), all: total(all) };
  await setTimeout(1000);
  const share = 1 - (total(idle) - before.idle) / (total(all) - before.all);
  return share * cpus().length;
}

/**
 * The part of a step's time in which TensorFlow is not at work: an upper bound.
 *
 * The worker adds up the time between a call of the addon and its answer. In that time, too, lies the way to
 * TensorFlow's thread and back; as much as an empty call takes is taken off for each.
 */
function hostShareOf({ answers }) {
  const total = (key) => answers.reduce((sum, answer) => sum + answer[key], 0);
  const empty = spread(answers.map(({ emptyCallSec }) => emptyCallSec)).median;
  return 1 - (total('sessionSec') - total('calls') * empty) / total('wallSec');
}

function summary(result) {
  const times = (value) => (value === null ? 'not measured' : `${figure(value)} x`);
  const percent = (value) => `${figure(100 * value)} %`;
  const rows = [
    [`captured ${result.precision}, batch ${result.batch}, against`, ''],
    ['  TF.js eager', times(result.capturedOverEager)],
    ['  tf.layers model.fit', times(result.capturedOverModelFit)],
    [`  ${result.pyTorchMode ?? 'PyTorch'}`, times(result.capturedOverPyTorch)],
    ['  its peak memory', times(result.peakMemoryOverPyTorch)],
    ['of the limit', percent(result.ofMatmulPeak)],
    ['outside of TensorFlow', percent(result.hostShare)],
    ['recording and first calls', `${figure(result.captureSeconds)} s`],
  ];
  return table(rows);
}
