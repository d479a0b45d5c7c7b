// The same network in `tf.layers`, trained by `model.fit`, the training loop of TF.js.
//
// The package is TF.js's own, unpatched, on the same TensorFlow. oneDNN's kernels are enabled, which is not the default on every
// machine. The model is built from our graph, layer by layer, so it is the same network.
import { createRequire } from 'node:module';
import util from 'node:util';
import { networkOf } from 'cifar10-fast';
import { experimentOf, readProblem } from '../problem.mjs';
import { readConfig, serve } from '../worker.mjs';

process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
// tfjs-node calls functions that Node 23 removed.
Object.assign(util, {
  isNullOrUndefined: (value) => value === null || value === undefined,
  isArray: Array.isArray,
});
const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu');

const config = readConfig();
const problem = readProblem(config.problem);
const { batch } = config;

/** Our weight decay adds wd * w to the gradient, which is that of the penalty wd / 2 * w^2. */
const decay = () => tf.regularizers.l2({ l2: problem.weightDecay / 2 });

function layerOf(layer) {
  switch (layer.kind) {
    case 'conv':
      return tf.layers.conv2d({
        filters: layer.cout,
        kernelSize: layer.size,
        strides: layer.stride,
        padding: 'same',
        useBias: layer.hasBias,
        kernelRegularizer: decay(),
      });
    case 'batch-norm':
      return tf.layers.batchNormalization({
        momentum: 1 - layer.momentum,
        epsilon: layer.epsilon,
        betaRegularizer: decay(),
        gammaRegularizer: decay(),
      });
    case 'relu':
      return tf.layers.reLU();
    case 'max-pool':
      return tf.layers.maxPooling2d({ poolSize: layer.size, strides: layer.stride });
    case 'identity':
      return tf.layers.activation({ activation: 'linear' });
    case 'add':
      return tf.layers.add();
    case 'flatten':
      return tf.layers.flatten();
    case 'linear':
      return tf.layers.dense({
        units: layer.cout,
        useBias: layer.hasBias,
        kernelRegularizer: decay(),
      });
    case 'mul':
      return tf.layers.rescaling({ scale: layer.weight });
    default:
      throw new Error(`layers: tf.layers has no "${layer.kind}".`);
  }
}

function makeModel() {
  const values = new Map();
  const made = [];
  let input;
  let output;
  for (const [path, { layer, inputs }] of networkOf(experimentOf(problem.scale))) {
    if (layer === null) {
      output = input = tf.input({ shape: [32, 32, 3] });
    } else {
      const applied = layerOf(layer);
      const read = inputs.map((name) => values.get(name));
      output = applied.apply(read.length === 1 ? read[0] : read);
      made.push([path, applied]);
    }
    values.set(path, output);
  }
  const model = tf.model({ inputs: input, outputs: output });
  for (const [path, layer] of made) {
    const names = ['weight', 'bias', 'running_mean', 'running_var'];
    const own = names.map((name) => problem.weights[`${path}/${name}`]).filter(Boolean);
    if (own.length !== layer.getWeights().length) {
      throw new Error(
        `layers: "${path}" has ${layer.getWeights().length} tensors, not ${own.length}.`,
      );
    }
    layer.setWeights(own.map(({ data, shape }) => tf.tensor(data, shape)));
  }
  return model;
}

const crossEntropy = (target, logits) => tf.losses.softmaxCrossEntropy(target, logits);
const model = makeModel();
model.compile({
  optimizer: tf.train.momentum(problem.lr, problem.momentum, true),
  loss: crossEntropy,
  // The loss without the penalty, which is comparable to the other variants.
  metrics: [crossEntropy],
});
const images = tf.tensor(problem.images.subarray(0, batch * 32 * 32 * 3), [batch, 32, 32, 3]);
const labels = tf.oneHot(tf.tensor1d(problem.labels.subarray(0, batch), 'int32'), 10);

async function run(steps) {
  const seconds = [];
  const losses = [];
  let start = performance.now();
  await model.fit(images, labels, {
    batchSize: batch,
    epochs: steps,
    verbose: 0,
    callbacks: {
      onEpochEnd: (epoch, { loss, ...logs }) => {
        const now = performance.now();
        seconds.push((now - start) / 1000);
        start = now;
        losses.push(Object.values(logs)[0] ?? loss);
      },
    },
  });
  return { seconds, losses };
}

await serve(run, config, { version: tf.version['tfjs-layers'] });
