// The problem on which every variant is measured: one network, its starting weights, and one batch of images.
//
// The images are synthetic, so CIFAR-10 is not needed. Each class has a colour of its own under noise: a network learns them in
// a few steps, and a variant whose loss does not fall is faulty.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRng, findExperiment, initNetwork, networkOf, scaled } from 'cifar10-fast';

/** Learning rate, momentum and weight decay of every variant's optimiser, for the mean loss of a batch. */
const hyper = { lr: 0.02, momentum: 0.9, weightDecay: 5e-4 };

/** The experiment whose network is measured; at scale `smoke` every width is a sixteenth. */
export function experimentOf(scale) {
  return scaled(findExperiment('demo'), scale);
}

/**
 * Writes the problem to a temporary folder, as `problem.json` (hyperparameters, and shape and offset of each tensor) and
 * `problem.bin` (the raw tensors, one after the other, channels last).
 *
 * @param count the number of images, 32 x 32 x 3
 * @param changes overrides of `lr`, `momentum` and `weightDecay`
 * @returns the folder's path; the folder is removed when this process ends
 */
export function writeProblem(scale, count, changes = {}) {
  const experiment = experimentOf(scale);
  const { images, labels } = makeExamples(count);
  const weights = initNetwork(networkOf(experiment), createRng(0, 'init'));
  const tensors = {
    images: { shape: [count, 32, 32, 3], data: images },
    labels: { shape: [count], data: labels },
    ...Object.fromEntries(
      Object.entries(weights).map(([path, tensor]) => [`network/${path}`, tensor]),
    ),
  };
  const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-bench-'));
  const places = {};
  const parts = [];
  let offset = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    const dtype = data instanceof Int32Array ? 'int32' : 'float32';
    places[name] = { shape, dtype, offset };
    parts.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const { channels, weight } = experiment.net;
  const manifest = { scale, ...hyper, ...changes, net: { ...channels, weight }, tensors: places };
  writeFileSync(join(folder, 'problem.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'problem.bin'), Buffer.concat(parts));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Reads a problem: its hyperparameters, images and labels, and the starting weights by path. */
export function readProblem(folder) {
  const { tensors, ...manifest } = JSON.parse(readFileSync(join(folder, 'problem.json'), 'utf8'));
  // A file of this size gets a buffer of its own, so typed arrays can view it without a copy.
  const { buffer, byteOffset } = readFileSync(join(folder, 'problem.bin'));
  const tensor = ({ shape, dtype, offset }) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    const Type = dtype === 'int32' ? Int32Array : Float32Array;
    return { shape, data: new Type(buffer, byteOffset + offset, count) };
  };
  const weights = Object.entries(tensors)
    .filter(([name]) => name.startsWith('network/'))
    .map(([name, place]) => [name.slice('network/'.length), tensor(place)]);
  return {
    ...manifest,
    images: tensor(tensors.images).data,
    labels: tensor(tensors.labels).data,
    weights: Object.fromEntries(weights),
  };
}

function makeExamples(count) {
  const rng = createRng(0, 'bench');
  const colours = rng.fillUniform(new Float32Array(10 * 3), -1, 1);
  const images = rng.fillUniform(new Float32Array(count * 32 * 32 * 3), -1.5, 1.5);
  const labels = Int32Array.from({ length: count }, () => rng.integer(10));
  for (let i = 0; i < images.length; i++) {
    images[i] += colours[3 * labels[Math.floor(i / (32 * 32 * 3))] + (i % 3)];
  }
  return { images, labels };
}

/**
 * Floating-point operations of a training step for one image: two for each multiplication of a convolution or a linear
 * layer, times three (forward, gradient with respect to the input, gradient with respect to the weights).
 *
 * The count does not depend on the implementation, so it is the same for every variant. It leaves out batch norm, activations,
 * pooling and the optimiser. It includes the gradient with respect to the input images, which no variant computes: 0.16 % of
 * ResNet-9.
 */
export function flopsPerImage(scale) {
  const extents = new Map();
  let total = 0;
  for (const [path, { layer, inputs }] of networkOf(experimentOf(scale))) {
    const before = inputs.length === 0 ? 32 : extents.get(inputs[0]);
    let after = before;
    if (layer?.kind === 'conv') {
      after = Math.floor((before + 2 * layer.padding - layer.size) / layer.stride) + 1;
      total += 2 * layer.size ** 2 * layer.cin * layer.cout * after ** 2;
    } else if (layer?.kind === 'max-pool') {
      after = Math.floor((before - layer.size) / layer.stride) + 1;
    } else if (layer?.kind === 'linear') {
      total += 2 * layer.cin * layer.cout;
    }
    extents.set(path, after);
  }
  return 3 * total;
}
