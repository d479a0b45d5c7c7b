// The training step of the network that reaches 94 % fastest: this build, an earlier build, and PyTorch; then every
// convolution of that network and of ResNet-9, pass by pass.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hardwareLine, readHardware } from 'cifar10-fast';
import { fastestPrecision } from 'cifar10-fast/engine';
import { earlier } from './before.mjs';
import { commandOf, readPeers, startWorker } from './processes.mjs';
import { figure, keepRows, makeSay, now, revision, table } from './report.mjs';
import { measureInTurns, spread } from './rounds.mjs';
import { loadBuild, writeSpeedrun } from './speedrun.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const size = 32;
const stepColumns =
  'hardware,date,what,batch,precision,n,median ms,min ms,max ms,img/s,GFLOP/s,peak MB,revision'.split(
    ',',
  );
const convolutionColumns = 'hardware,date,pass,shape,algorithm,ms,GFLOP/s,chosen,revision'.split(
  ',',
);

/** ResNet-9's convolutions, in the form of {@link parseShape}'s result. */
const resnet9 = [
  [32, 64, 128],
  [16, 128, 128],
  [16, 128, 256],
  [8, 256, 512],
  [4, 512, 512],
].map(([height, cin, cout]) => ({ height, output: height, cin, cout }));

/**
 * Measures the step of each variant in turns, and prints and saves the results.
 *
 * @returns `result`, printed by `--json`, and `faults`, one message per failure
 */
export async function measureNetwork({ quick, batches, rounds = 5 }) {
  const batch = Math.max(...(batches ?? [quick ? 128 : 1024]));
  const hardware = readHardware();
  const precision = fastestPrecision(hardware, false);
  const peers = readPeers();
  const say = makeSay();
  const faults = [];
  const context = { hardware: hardwareLine(hardware), date: now(), revision: revision() };
  const problem = writeSpeedrun(loadBuild(root), size, batch);
  const config = { problem, batch, precision, burnIn: 2 };
  console.log(`${context.hardware}\nA training step of ${batch} images of ${size}x${size}, SGD`);

  const variants = buildVariants(config);
  if (peers === undefined) console.log('PyTorch is left out: npm run bench:peers installs it.');
  else variants.push(...(await screen(peers, config, say, faults)));
  const start = performance.now();
  await measureInTurns(variants, {
    stepsPerTurn: quick ? 1 : 2,
    isEnough: (done) => done >= rounds || (quick && performance.now() - start > 30_000),
    say,
  });
  say.done();

  const ours = variants[0].readies[0];
  const measured = outcomesOf(variants, ours, batch, faults);
  faults.push(...comparedLosses(measured));
  const rows = measured.map((one) => rowOf({ ...context, batch, precision }, one));
  printSteps(rows);
  if (!quick) {
    keepRows('speedrun', stepColumns, rows);
    await measureConvolutions(context, ours?.algorithms ?? [], peers, precision, say);
  }
  const result = {
    network: 'fastest',
    batch,
    precision,
    quick,
    gflopPerImage: ours?.flops === undefined ? null : ours.flops / batch / 1e9,
    ...comparisonOf(measured),
    hardware: context.hardware,
  };
  console.log(
    `\nThis build: ${figure(result.overEarlierBuild)} times build ${earlier.revision}, ` +
      `${figure(result.overPyTorch)} times PyTorch's best mode here, memory ${figure(result.peakMemoryOverPyTorch)} of its`,
  );
  return { result, faults };
}

/** This build, and the earlier one if it is set up. */
function buildVariants(config) {
  const build = (what, at) => ({
    what,
    precision: config.precision,
    worker: 'speedrun',
    config: { ...config, root: at },
    bytes: 1e9 + 6e6 * config.batch,
  });
  const variants = [build('this build', root)];
  if (existsSync(join(earlier.folder, 'dist/index.js'))) {
    variants.push(build(`build ${earlier.revision}`, earlier.folder));
  } else {
    console.log(`Build ${earlier.revision} is left out: node bench/before.mjs makes it.`);
  }
  return variants;
}

/** The measurements of each variant that ran to the end; every other variant adds a fault. */
function outcomesOf(variants, ours, batch, faults) {
  return variants.flatMap(({ what, error, seconds, peakBytes, losses }) => {
    if (error !== undefined) {
      faults.push(`${what}: ${error}`);
      return [];
    }
    const times = spread(seconds);
    const gflops = ours?.flops === undefined ? undefined : ours.flops / times.median / 1e9;
    return [
      { what, times, peakBytes, gflops, first: losses[0], imagesPerSec: batch / times.median },
    ];
  });
}

const rowOf = (context, { what, times, peakBytes, gflops, imagesPerSec }) => ({
  ...context,
  what,
  n: times.n,
  'median ms': (1000 * times.median).toFixed(1),
  'min ms': (1000 * times.min).toFixed(1),
  'max ms': (1000 * times.max).toFixed(1),
  'img/s': imagesPerSec.toFixed(1),
  'GFLOP/s': gflops?.toFixed(1),
  'peak MB': Math.round(peakBytes / 1e6),
});

function printSteps(rows) {
  const titles = ['n', 'median ms', 'min ms', 'max ms', 'img/s', 'GFLOP/s', 'peak MB'];
  console.log(
    `\n${table([['', ...titles], ...rows.map((row) => [row.what, ...titles.map((title) => String(row[title] ?? '-'))])])}`,
  );
}

/** Ratios of this build to the earlier one and to PyTorch's fastest mode; null if not measured. */
function comparisonOf(measured) {
  const fastest = (isMeant) =>
    measured
      .filter(({ what }) => isMeant(what))
      .toSorted((a, b) => a.times.median - b.times.median)[0];
  const own = fastest((what) => what === 'this build');
  const before = fastest((what) => what.startsWith('build '));
  const torch = fastest((what) => what.startsWith('PyTorch'));
  const over = (other) => (own && other ? own.imagesPerSec / other.imagesPerSec : null);
  return {
    imagesPerSec: own?.imagesPerSec ?? null,
    overEarlierBuild: over(before),
    overPyTorch: over(torch),
    pyTorchMode: torch?.what ?? null,
    peakMemoryOverPyTorch: own && torch ? own.peakBytes / torch.peakBytes : null,
  };
}

/** Compares first losses. All variants start from the same weights and images, so these differ only by precision. */
function comparedLosses(measured) {
  const [{ first: expected } = {}] = measured;
  return measured
    .filter(({ first }) => !(Math.abs(first / expected - 1) < 0.03))
    .map(({ what, first }) => `${what}: the first loss is ${first}, of this build ${expected}`);
}

/** Finds the two fastest modes of PyTorch by two steps of each at a smaller batch. */
async function screen({ compiles }, config, say, faults) {
  const hasBf16 = config.precision === 'bf16';
  const modes = [
    'fp32 channels-last',
    ...(hasBf16 ? ['autocast channels-last', 'bf16 channels-last'] : ['fp32']),
  ];
  const compiled = hasBf16
    ? ['autocast channels-last', 'bf16 channels-last']
    : ['fp32 channels-last'];
  if (!hasBf16) {
    console.log(
      "PyTorch's bf16 modes are left out: this processor has no instructions for them, one step takes minutes.",
    );
  }
  const all = compiles ? [...modes, ...compiled.map((mode) => `${mode} compiled`)] : modes;
  const found = [];
  for (const mode of all) {
    say(`PyTorch ${mode}`);
    try {
      const worker = await startWorker('torch-speedrun', {
        kind: 'step',
        mode,
        ...config,
        batch: Math.min(128, config.batch),
      });
      const { seconds } = await worker.ask({ steps: 2 });
      await worker.close();
      found.push({ mode, sec: Math.min(...seconds) });
    } catch (error) {
      faults.push(`PyTorch ${mode}: ${error.message}`);
    }
  }
  say.done();
  return found
    .toSorted((a, b) => a.sec - b.sec)
    .slice(0, 2)
    .map(({ mode }) => ({
      what: `PyTorch ${mode}`,
      precision: mode.startsWith('fp32') ? 'fp32' : 'bf16',
      worker: 'torch-speedrun',
      config: { kind: 'step', mode, ...config },
      bytes: 1e9 + 10e6 * config.batch,
    }));
}

/** Parses a shape such as `bf16 256x31x31(30x30) 24->64`. */
function parseShape(text) {
  const [, images, height, , output, , cin, cout] =
    /(\d+)x(\d+)x(\d+)(?:\((\d+)x(\d+)\))? (\d+)->(\d+)$/.exec(text).map(Number);
  return { images, height, output: Number.isNaN(output) ? height : output, cin, cout };
}

/** GFLOP of the direct 3x3 algorithm. Like `countFlops`, it does not count taps on the padding. */
function gflopOf({ images, height, output, cin, cout }) {
  let pairs = 0;
  for (let row = 0; row < output; row++) {
    for (let tap = -1; tap <= 1; tap++) pairs += row + tap >= 0 && row + tap < height ? 1 : 0;
  }
  return (2 * images * pairs ** 2 * cin * cout) / 1e9;
}

/** Prints and saves GFLOP/s of every convolution, by each algorithm and by PyTorch. Measures those of ResNet-9 first. */
async function measureConvolutions(context, rows, peers, precision, say) {
  say('convolutions of ResNet-9');
  const options = JSON.stringify({ root, shapes: resnet9, precision });
  const [command, ...args] = commandOf('convolutions', JSON.parse(options));
  const others = JSON.parse(execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 24 }));
  const all = [...rows, ...others];
  const shapes = [...new Set(all.map(({ shape }) => shape))];
  const torch = new Map();
  if (peers !== undefined) {
    say('convolutions in PyTorch');
    const asked = shapes
      .map(parseShape)
      .map(({ images, height, cin, cout }) => [images, height, cin, cout]);
    const [python, ...rest] = commandOf('torch-speedrun', {
      kind: 'convolutions',
      precision,
      shapes: asked,
    });
    const { ms } = JSON.parse(execFileSync(python, rest, { encoding: 'utf8' }));
    for (const [index, shape] of shapes.entries()) torch.set(shape, ms[index]);
  }
  say.done();
  const passes = ['forward', 'input-gradient', 'kernel-gradient'];
  const kept = all.flatMap(({ pass, shape, candidates, chosen }) => {
    const ms = torch.get(shape)?.[passes.indexOf(pass)];
    const found = ms === undefined ? candidates : [...candidates, { algorithm: 'PyTorch', ms }];
    return found.map(({ algorithm, ms: took }) => ({
      ...context,
      pass,
      shape,
      algorithm,
      ms: took.toFixed(2),
      'GFLOP/s': ((1000 * gflopOf(parseShape(shape))) / took).toFixed(0),
      chosen: algorithm === chosen ? 'chosen' : '',
    }));
  });
  keepRows('convolution-rates', convolutionColumns, kept);
  const names = [...new Set(kept.map(({ algorithm }) => algorithm))];
  console.log(
    `\n${table([
      ['GFLOP/s', ...names],
      ...all.map(({ pass, shape }) => [
        `${pass} ${shape}`,
        ...names.map((name) => {
          const row = kept.find(
            (one) => one.pass === pass && one.shape === shape && one.algorithm === name,
          );
          return row === undefined ? '-' : `${row['GFLOP/s']}${row.chosen === '' ? '' : ' *'}`;
        }),
      ]),
    ])}`,
  );
}
