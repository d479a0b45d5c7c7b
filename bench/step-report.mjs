// The output of the step benchmark: tables, rows of the result files, and the numbers of `--json`.
import { figure, keepRows, table } from './report.mjs';
import { spread } from './rounds.mjs';

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

/** Images per second and GFLOP/s of a step of `batch` images, at `flops` operations per image. */
export const rates = (flops, batch, { median }) => ({
  batch,
  imagesPerSec: batch / median,
  gflops: (flops * batch) / median / 1e9,
});

/** Saves measured variants in bench/measured/NAME.tsv. @returns the path of the file */
export const keepVariants = (name, context, variants) =>
  keepRows(
    name,
    columns,
    variants.map((variant) => rowOf(context, variant)),
  );

function rowOf(context, { what, precision, times, ...one }) {
  const { batch, imagesPerSec, gflops, cores, peakBytes } = one;
  return {
    ...context,
    what,
    precision,
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

/** Saves and prints the time of each algorithm for each pass of each convolution. */
export function reportConvolutions(context, measured) {
  keepRows(
    'convolutions',
    convolutionColumns,
    measured.flatMap((one) => convolutionRows(context, one)),
  );
  console.log(`\n${convolutionTable(measured)}`);
}

function convolutionTable(rows) {
  const names = [
    ...new Set(rows.flatMap(({ candidates }) => candidates.map(({ algorithm }) => algorithm))),
  ];
  return table([
    ['ms per pass, measured once per machine', ...names, 'chosen'],
    ...rows.map(({ pass, shape, candidates, chosen }) => [
      `${pass} ${shape}`,
      ...names.map((name) => figure(candidates.find(({ algorithm }) => algorithm === name)?.ms)),
      chosen,
    ]),
  ]);
}

function convolutionRows(context, { pass, shape, candidates, chosen }) {
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

/** GFLOP/s of the faster matrix product in each precision. */
export function limitsOf(measured, precisions) {
  return new Map(
    precisions.map((number) => {
      const products = measured.filter(({ gflop, precision }) => gflop && precision === number);
      return [number, Math.max(...products.map(({ gflops }) => gflops).filter(Number.isFinite))];
    }),
  );
}

/** Prints a table for each batch size, and one of the matrix products. */
export function printTables(measured, limits, sizes) {
  const titles = 'n,median ms,min,max,img/s,GFLOP/s,of limit,cores,peak MB'.split(',');
  const row = ({ what, precision, times, imagesPerSec, gflops, cores, peakBytes }) => [
    what.startsWith('PyTorch') && imagesPerSec ? what : `${what} ${precision}`,
    String(times.n),
    ...[times.median, times.min, times.max].map((sec) => figure(1000 * sec, 4)),
    figure(imagesPerSec),
    figure(gflops),
    limits.has(precision) ? `${figure((100 * gflops) / limits.get(precision))} %` : '-',
    figure(cores),
    figure(peakBytes / 1e6, 4),
  ];
  for (const batch of sizes) {
    const own = measured.filter((one) => one.batch === batch);
    console.log(`\n${table([[`batch ${batch}`, ...titles], ...own.map(row)])}`);
  }
  console.log(
    `\n${table([['the limit', ...titles], ...measured.filter(({ gflop }) => gflop).map(row)])}`,
  );
}

/** The project's key figures, at the largest batch size. */
export function resultOf({ measured, limits, captureSeconds, quick, batch, precision, hardware }) {
  const own = measured.filter((one) => one.batch === batch);
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
    ofMatmulPeak: captured.gflops / limits.get(precision),
    hostShare: hostShareOf(captured),
    captureSeconds,
    peakMemoryOverPyTorch: torch === undefined ? null : captured.peakBytes / torch.peakBytes,
    quick,
    batch,
    precision,
    imagesPerSec: captured.imagesPerSec,
    fp32ImagesPerSec: find('captured', 'fp32').imagesPerSec,
    pyTorchMode: torch?.what ?? null,
    tensorflow: captured.readies[0]?.version,
    hardware,
  };
}

/**
 * An upper bound on the share of a step's time in which TensorFlow does not compute.
 *
 * The worker adds up the time between each call of the addon and its answer. That includes the switch to TensorFlow's thread
 * and back, so the time of an empty call is subtracted for each call.
 */
function hostShareOf({ answers }) {
  const total = (key) => answers.reduce((sum, answer) => sum + answer[key], 0);
  const empty = spread(answers.map(({ emptyCallSec }) => emptyCallSec)).median;
  return 1 - (total('sessionSec') - total('calls') * empty) / total('wallSec');
}

/** {@link resultOf} as a table. */
export function summary(result) {
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
