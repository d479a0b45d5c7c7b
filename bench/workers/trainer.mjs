// Our own training step, eager or captured, in the training loop of the library.
//
// The batch is the whole training set, so an epoch is one step, and every step pays the fixed cost of an epoch (the plan of the
// augmentation, the order, reading the totals). With `augment` a step gathers, crops, mirrors and cuts out on the device, which
// no other variant here does.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build, createTrainer, crossEntropyLoss, loadTensorflow, networkOf } from 'cifar10-fast';
import { experimentOf, readProblem } from '../problem.mjs';
import { readConfig, serve } from '../worker.mjs';

const config = readConfig();
const problem = readProblem(config.problem);
const { data, optim } = experimentOf(problem.scale);
const imageSize = 32 * 32 * 3;
// With several steps per epoch, the batch's images are repeated.
const stepsPerEpoch = config.stepsPerEpoch ?? 1;
const train = { images: repeated('images', imageSize), labels: repeated('labels', 1) };

const { version } = loadTensorflow();
const inside = config.mode === 'captured' ? watchAddon() : undefined;
const trainer = createTrainer({
  model: { graph: networkOf(experimentOf(problem.scale)), loss: build(crossEntropyLoss()) },
  train,
  // Validation is not timed; one image is the minimum.
  valid: { images: train.images.subarray(0, imageSize), labels: train.labels.subarray(0, 1) },
  imageShape: [32, 32, 3],
  transforms: config.augment ? data.transforms : [],
  pad: config.augment ? data.pad : 0,
  scheme: data.scheme,
  maxOptions: data.maxOptions,
  batchSize: config.batch,
  dropLast: true,
  // More than are measured, because a trainer has no steps left after its last epoch.
  epochs: 1e6,
  lr: { knots: [0], vals: [problem.lr] },
  weightDecay: problem.weightDecay,
  momentum: problem.momentum,
  optimiser: { rule: optim.rule, groups: optim.groups },
  tta: false,
  seed: 0,
  engine: { mode: config.mode, precision: config.precision, xla: config.xla ?? false },
});
trainer.session.write({ network: problem.weights });
let epoch = 0;

async function run(steps) {
  const seconds = [];
  const losses = [];
  const rssBytes = [];
  const start = performance.now();
  const stop = inside?.start();
  for (let done = 0; done < steps; done += stepsPerEpoch) {
    const row = await trainer.runEpoch(++epoch);
    seconds.push(row.train.time / stepsPerEpoch);
    losses.push(row.train.loss);
    rssBytes.push(process.memoryUsage.rss());
  }
  const wallSec = (performance.now() - start) / 1000;
  return { seconds, losses, rssBytes, wallSec, ...stop?.(), ...(await emptyCall()) };
}

/** Seconds of a call of TensorFlow that does next to nothing. */
async function emptyCall() {
  if (inside === undefined) return {};
  const stop = inside.start();
  const count = 20;
  for (let i = 0; i < count; i++) await trainer.session.read('totals');
  return { emptyCallSec: stop().sessionSec / count };
}

await serve(run, config, { version, algorithms: trainer.session.algorithms });
trainer.dispose();

function repeated(name, size) {
  const values = problem[name].subarray(0, config.batch * size);
  const all = new values.constructor(stepsPerEpoch * values.length);
  for (let step = 0; step < stepsPerEpoch; step++) all.set(values, step * values.length);
  return all;
}

/**
 * Adds up the time in which TensorFlow computes: from the return of a call of the addon, which has copied the feeds by then, to
 * the settling of its promise. That includes TF_SessionRun and the switch to its thread and back.
 *
 * @returns `start()`, which starts to count and returns a function that returns the totals
 */
function watchAddon() {
  const require = createRequire(import.meta.url);
  const root = dirname(require.resolve('cifar10-fast/package.json'));
  const addon = require(join(root, 'native/graph.node'));
  const { run } = addon;
  let count = { sessionSec: 0, calls: 0 };
  addon.run = (...args) => {
    const own = count;
    const promise = run(...args);
    const start = performance.now();
    return promise.finally(() => {
      own.sessionSec += (performance.now() - start) / 1000;
      own.calls++;
    });
  };
  return {
    start: () => {
      const own = { sessionSec: 0, calls: 0 };
      count = own;
      return () => {
        if (own.calls > 0) return own;
        throw new Error(
          'trainer: no step went through the addon, so the host cannot be told apart.',
        );
      };
    },
  };
}
