// npm run bench -- --models: models of tf.layers, trained by model.fit and by accelerate, and the same models in PyTorch.
import { hardwareLine, readHardware } from 'cifar10-fast';
import { fastestPrecision } from 'cifar10-fast/engine';
import { zoo } from './models/zoo.mjs';
import { readPeers } from './processes.mjs';
import { figure, keepRows, makeSay, now, revision, table } from './report.mjs';
import { measureInTurns, spread } from './rounds.mjs';

const columns = [
  'hardware',
  'date',
  'model',
  'what',
  'precision',
  'batch',
  'n',
  'median ms',
  'min ms',
  'max ms',
  'per second',
  'unit',
  'peak MB',
  'revision',
];

/** The variants of a model. One of their steps is an epoch of `batches` batches. */
function variantsOf(name, { batch, batches: full }, { quick, precisions, hasPeer }) {
  const batches = quick ? Math.ceil(full / 4) : full;
  const variant = (what, precision, worker, config) => ({
    name,
    what,
    precision,
    worker,
    config: { model: name, batch, batches, ...config },
    bytes: 2e9,
    examples: batch * batches,
  });
  return [
    variant('model.fit', 'fp32', 'model', { how: 'fit' }),
    ...precisions.map((precision) =>
      variant('accelerate', precision, 'model', { how: 'accelerate', precision }),
    ),
    ...(hasPeer
      ? precisions.map((precision) => variant('PyTorch', precision, 'torch-model', { precision }))
      : []),
  ];
}

/**
 * Trains the variants of every model in turns, each in a process of its own, and prints and saves examples per second.
 *
 * @returns `result`, printed by `--json`, and `faults`, one message per failure
 */
export async function measureModels({ quick, rounds = quick ? 1 : 5, noPeer = false }) {
  const hardware = readHardware();
  const best = fastestPrecision(hardware, false);
  const peers = noPeer ? undefined : readPeers();
  const precisions = quick ? [best] : [...new Set(['fp32', best])];
  const say = makeSay();
  const context = { hardware: hardwareLine(hardware), date: now(), revision: revision() };
  console.log(`${context.hardware}${quick ? ' (quick: too short to be reliable)' : ''}`);
  const faults = [];
  const models = [];
  const lines = [['model', 'how', 'per second', 'min', 'max', 'peak MB']];
  for (const [name, entry] of Object.entries(zoo)) {
    const variants = variantsOf(name, entry, { quick, precisions, hasPeer: peers !== undefined });
    await measureInTurns(variants, { stepsPerTurn: 1, isEnough: (done) => done >= rounds, say });
    for (const { what, precision, error } of variants) {
      if (error !== undefined) faults.push(`${name}, ${what} ${precision}: ${error}`);
    }
    const measured = variants.filter(({ error }) => error === undefined).map(withRate);
    models.push(ratios(name, entry, measured));
    for (const { what, precision, rate, least, most, peakBytes } of measured) {
      const numbers = [rate, least, most, peakBytes / 1e6].map((value) => figure(value));
      lines.push([name, `${what} ${precision}`, ...numbers]);
    }
    if (!quick)
      keepRows(
        'models',
        columns,
        measured.map((row) => rowOf(row, entry, context)),
      );
  }
  say.done();
  console.log(table(lines));
  for (const model of models) {
    console.log(
      `${model.name}: ${figure(model.overModelFit)} x model.fit, ${figure(model.overPeer)} x PyTorch, ` +
        `${figure(model.peakMemoryOverModelFit)} of model.fit's peak memory`,
    );
  }
  return { result: { models }, faults };
}

function withRate(variant) {
  const { median, min, max } = spread(variant.seconds);
  const { examples } = variant;
  return {
    ...variant,
    median,
    min,
    max,
    rate: examples / median,
    least: examples / max,
    most: examples / min,
  };
}

/** The ratios of `accelerate` in its fastest precision to model.fit and to PyTorch in its fastest precision. */
function ratios(name, { kind }, measured) {
  const fastest = (how) =>
    measured.filter(({ what }) => what === how).toSorted((a, b) => b.rate - a.rate)[0];
  const [ours, fit, peer] = ['accelerate', 'model.fit', 'PyTorch'].map(fastest);
  const over = (one, other) => (one === undefined || other === undefined ? null : one / other);
  return {
    name,
    kind,
    overModelFit: over(ours?.rate, fit?.rate),
    overPeer: over(ours?.rate, peer?.rate),
    peakMemoryOverModelFit: over(ours?.peakBytes, fit?.peakBytes),
  };
}

function rowOf(
  { name, what, precision, seconds, median, min, max, rate, peakBytes },
  entry,
  context,
) {
  return {
    ...context,
    model: name,
    what,
    precision,
    batch: entry.batch,
    n: seconds.length,
    'median ms': (1000 * median).toFixed(1),
    'min ms': (1000 * min).toFixed(1),
    'max ms': (1000 * max).toFixed(1),
    'per second': rate.toFixed(1),
    unit: entry.unit,
    'peak MB': (peakBytes / 1e6).toFixed(0),
  };
}
