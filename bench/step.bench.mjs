// Images per second of a training step of ResNet-9: captured, eager, model.fit and PyTorch, with matrix products as the limit.
import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { hardwareLine, readHardware } from 'cifar10-fast';
import { fastestPrecision } from 'cifar10-fast/engine';
import { flopsPerImage, writeProblem } from './problem.mjs';
import { readPeers, startWorker } from './processes.mjs';
import { figure, makeSay, now, revision, table } from './report.mjs';
import { measureInTurns, spread } from './rounds.mjs';
import {
  keepVariants,
  limitsOf,
  printTables,
  rates,
  reportConvolutions,
  resultOf,
  summary,
} from './step-report.mjs';
import {
  layersVariant,
  matmulVariant,
  screenTorch,
  torchModes,
  torchVariant,
  trainerVariant,
} from './variants.mjs';

/** With `--quick`, seconds after which no further round starts; there are at least two rounds. */
const quickSec = 25;

/**
 * Measures a training step at each batch size, in turns, and prints and saves the results.
 *
 * The ratios of the result are those of the largest batch. The limit is the faster of two matrix products, ours and
 * PyTorch's, in the precision of the captured step.
 *
 * @returns `result`, printed by `--json`, and `faults`, one message per failure
 */
export async function measureSteps(flags) {
  const sitting = prepare(flags);
  const { quick, sizes, precision, precisions, context, say, faults } = sitting;
  await introduce(sitting);
  const modes = await chooseModes(sitting);
  const measured = [];
  let captureSeconds;
  for (const [index, batch] of sizes.entries()) {
    const config = { batch, problem: sitting.problem, burnIn: quick ? 1 : 2 };
    if (!quick) await chooseAlgorithms(sitting, config);
    captureSeconds ??= await measureStarts(sitting, config);
    const variants = [
      ...stepVariants(sitting, config, modes),
      // The limit does not depend on the batch size, so it is measured once.
      ...(index > 0 ? [] : limitVariants(sitting)),
    ];
    await measureRounds(sitting, variants, batch);
    for (const variant of variants) measured.push(describe(sitting, variant, batch));
  }
  say.done();
  const limits = limitsOf(measured, precisions);
  printTables(measured, limits, sizes);
  const path = keepVariants(quick ? 'quick' : 'step', context, measured);
  const result = resultOf({
    measured,
    limits,
    captureSeconds,
    quick,
    batch: sizes[0],
    precision,
    hardware: context.hardware,
  });
  console.log(`\n${summary(result)}\nRows in ${path}`);
  return { result, faults };
}

/** The state shared by all parts of the benchmark: options, machine, problem, and the list of `faults`. */
function prepare({ quick, batches, rounds = 5, xla }) {
  const sizes = (batches ?? (quick ? [64] : [512, 128])).toSorted((a, b) => b - a);
  const hardware = readHardware();
  const precision = fastestPrecision(hardware, false);
  return {
    quick,
    rounds,
    xla,
    sizes,
    hardware,
    precision,
    precisions: [...new Set(['fp32', precision])],
    peers: readPeers(),
    say: makeSay(),
    problem: writeProblem('full', Math.max(...sizes)),
    flops: flopsPerImage('full'),
    context: { hardware: hardwareLine(hardware), date: now(), revision: revision() },
    faults: [],
  };
}

/** Prints the machine, the problem, the versions, and a warning if other programs keep the CPU busy. */
async function introduce({ quick, context, flops, peers }) {
  console.log(`${context.hardware}${quick ? ' (quick: too short to be reliable)' : ''}`);
  console.log(
    `ResNet-9 training step, ${figure(flops / 1e9)} GFLOP an image; Node ${process.versions.node}; ` +
      (peers === undefined
        ? 'PyTorch is not set up, npm run bench:peers does that'
        : `PyTorch ${peers.version}${peers.compiles ? '' : ', without torch.compile'}`),
  );
  const busy = await busyCores();
  if (busy > 0.1) {
    console.log(`Other programs keep ${figure(busy, 2)} cores busy, which affects the results.`);
  }
}

/** The modes of PyTorch that take part in the rounds. */
async function chooseModes(sitting) {
  const { quick, peers, precision } = sitting;
  if (peers === undefined) return [];
  if (!quick) return screen(sitting);
  // The fastest mode on most machines, without screening.
  return [`${precision === 'fp32' ? 'fp32' : 'autocast'} channels-last`];
}

/** Finds PyTorch's three fastest modes, and saves the measurements of all. */
async function screen({ sizes, problem, peers, hardware, say, flops, context, faults }) {
  const config = { batch: Math.min(128, ...sizes), problem };
  const hasAmx = hardware.cpuFlags.includes('amx_bf16');
  const all = torchModes({ compiles: peers.compiles, hasAmx });
  const { found, failed } = await screenTorch(all, config, say);
  say.done();
  const rows = found.map(({ mode, ...times }) => {
    const { what, precision } = torchVariant(mode, config);
    return { what, precision, times, ...rates(flops, config.batch, times) };
  });
  const marked = rows.map((row) => ({ ...row, what: `${row.what} (screening)` }));
  keepVariants('step', context, marked);
  console.log(`\nPyTorch's modes at batch ${config.batch}, two steps each, img/s`);
  console.log(table(rows.map(({ what, imagesPerSec }) => [what, figure(imagesPerSec)])));
  for (const { mode, error } of failed) faults.push(`PyTorch ${mode}: ${error}`);
  return found.slice(0, 3).map(({ mode }) => mode);
}

/** The variants of a training step. The captured ones always burn in for two steps. */
function stepVariants({ precisions, precision, xla }, config, modes) {
  const captured = { ...config, burnIn: 2, augment: true };
  return [
    trainerVariant('eager', 'fp32', { ...config, augment: true }),
    ...precisions.map((number) => trainerVariant('captured', number, captured)),
    ...(xla ? [trainerVariant('captured', precision, { ...captured, xla })] : []),
    layersVariant(config),
    ...modes.map((mode) => torchVariant(mode, config)),
  ];
}

/** Matrix products in each precision, by us and by PyTorch. */
function limitVariants({ quick, peers, precisions }) {
  const product = quick ? { size: 2048, chain: 4 } : { size: 4096, chain: 3 };
  return ['matmul', ...(peers === undefined ? [] : ['torch'])].flatMap((worker) =>
    precisions.map((number) => matmulVariant(worker, number, product)),
  );
}

async function measureRounds({ quick, rounds, say }, variants, batch) {
  const start = performance.now();
  await measureInTurns(variants, {
    stepsPerTurn: quick ? 1 : 2,
    isEnough: (done) =>
      quick ? done >= 2 && performance.now() - start > quickSec * 1000 : done >= rounds,
    say: (text) => say(`batch ${batch}, ${text}`),
  });
}

/** Runs a step in each precision, so that the engine has chosen its algorithms, and saves their times. */
async function chooseAlgorithms({ precisions, say, context }, config) {
  for (const number of precisions) {
    say(`measuring convolutions, ${number}`);
    const variant = trainerVariant('captured', number, { ...config, burnIn: 1, augment: true });
    const worker = await startWorker(variant.worker, variant.config);
    await worker.close();
    reportConvolutions(context, worker.ready.algorithms);
  }
  say.done();
}

/**
 * The time of the first two steps beyond that of two steady steps: the median of three processes (one if quick), before other
 * processes are started. Within the rounds, most of it would be the cost of allocating memory on a machine that is nearly full.
 */
async function measureStarts({ quick, precision, say }, config) {
  const found = [];
  for (let left = quick ? 1 : 3; left > 0; left--) {
    say(`first steps, ${left} to go`);
    const variant = trainerVariant('captured', precision, { ...config, burnIn: 4, augment: true });
    const worker = await startWorker(variant.worker, variant.config);
    await worker.close();
    const [first, second, third, fourth] = worker.ready.seconds;
    found.push(first + second - third - fourth);
  }
  return spread(found).median;
}

/** The measurements of a variant; adds a fault if it failed or its loss does not fall. */
function describe({ flops, faults }, variant, batch) {
  const { what, losses, gflop, error } = variant;
  const name = `${what} ${variant.precision}, batch ${batch}`;
  if (error !== undefined) faults.push(`${name}: ${error}`);
  else if (gflop === undefined && !(losses.every(Number.isFinite) && losses.at(-1) < losses[0])) {
    faults.push(`${name}: the loss does not fall: ${losses.join(', ')}`);
  }
  const times = spread(variant.seconds);
  const cpuSec = variant.answers.reduce((sum, answer) => sum + answer.cpuSec, 0);
  return {
    ...variant,
    times,
    cores: cpuSec / variant.seconds.reduce((sum, seconds) => sum + seconds, 0),
    ...(gflop === undefined ? rates(flops, batch, times) : { gflops: gflop / times.median }),
  };
}

/** The number of cores that other programs keep busy, measured over an idle second. */
async function busyCores() {
  const total = (key) => cpus().reduce((sum, { times }) => sum + key(times), 0);
  const idle = ({ idle }) => idle;
  const all = (times) => Object.values(times).reduce((sum, time) => sum + time, 0);
  const before = { idle: total(idle), all: total(all) };
  await setTimeout(1000);
  const share = 1 - (total(idle) - before.idle) / (total(all) - before.all);
  return share * cpus().length;
}
