import * as tf from '@tensorflow/tfjs-core';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import type { Net } from '../graph/spec';
import { celu, relu, softplus } from '../nn/activation';
import { batchNorm, ghostBatchNorm } from '../nn/batch-norm';
import { add, concat, flatten, identity, mul } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { crossEntropyLoss, labelSmoothingLoss } from '../nn/loss';
import { initNetwork } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import { avgPool, maxPool } from '../nn/pool';
import { forward } from '../train/steps';
import type { Batch } from '../train/batches';
import type { Model } from '../train/steps';
import type { HostBatch } from './fixed-batches';
import { createHessian } from './hessian';
import type { Sample } from './hessian';
import { lanczos } from './lanczos';
import { dot, norm, perturbed, randomDirection, toVector, vectorLayout } from './vector';

function batch(count: number, side: number, channels: number, seed: number): HostBatch {
  const rng = createRng(seed, 'batch');
  const shape = [count, side, side, channels];
  const data = Float32Array.from({ length: count * side * side * channels }, () => rng.normal());
  const target = Int32Array.from({ length: count }, () => rng.integer(4));
  return { input: { shape, data }, target: { shape: [count], data: target } };
}

function model(net: Net<AnyLayer>, loss: Net<AnyLayer> = crossEntropyLoss()): Model {
  return { graph: build(net), loss: build(loss) };
}

/** Initial values, with random parameters and running statistics in the batch norms. */
function variablesOf({ graph }: Model, seed: number): HostVariables {
  const rng = createRng(seed, 'running');
  return Object.fromEntries(
    Object.entries(initNetwork(graph, createRng(seed))).map(([path, { shape, data }]) => {
      const [low, high] = /running_var|bn\/weight/.test(path) ? [0.5, 1.5] : [-0.5, 0.5];
      const isNorm = /bn\//.test(path);
      const drawn = rng.fillUniform(new Float32Array(data.length), low, high);
      return [path, { shape, data: isNorm ? drawn : data }];
    }),
  );
}

/** All columns of the Hessian. */
async function dense(sample: Sample): Promise<Float32Array[]> {
  const hessian = createHessian(sample);
  const { size } = hessian.layout;
  const columns: Float32Array[] = [];
  for (let i = 0; i < size; i++) {
    const unit = new Float32Array(size);
    unit[i] = 1;
    columns.push(await hessian.product(unit));
  }
  hessian.dispose();
  return columns;
}

/**
 * The summed loss of one batch in float64 and plain loops: 3x3 convolution, batch norm of the batch, ReLU, max pooling
 * by 2, linear layer with bias, cross entropy.
 */
function plainLoss(
  { input, target }: HostBatch,
  widths: { readonly channels: number; readonly classes: number },
  parameters: Float64Array,
): number {
  const { channels, classes } = widths;
  const [count, side, , cin] = input.shape;
  const kernel = parameters.subarray(0, 9 * cin * channels);
  const scale = parameters.subarray(kernel.length, kernel.length + channels);
  const bias = parameters.subarray(kernel.length + channels, kernel.length + 2 * channels);
  const half = side / 2;
  const weights = parameters.subarray(kernel.length + 2 * channels);
  const offsets = weights.subarray(half * half * channels * classes);

  const y = new Float64Array(count * side * side * channels);
  for (let n = 0; n < count; n++) {
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        for (let i = 0; i < 9; i++) {
          const [r, c] = [row + Math.floor(i / 3) - 1, column + (i % 3) - 1];
          if (r < 0 || r >= side || c < 0 || c >= side) continue;
          for (let k = 0; k < cin; k++) {
            const x = input.data[((n * side + r) * side + c) * cin + k];
            for (let o = 0; o < channels; o++) {
              y[((n * side + row) * side + column) * channels + o] +=
                x * kernel[(i * cin + k) * channels + o];
            }
          }
        }
      }
    }
  }
  const rows = y.length / channels;
  for (let o = 0; o < channels; o++) {
    let [mean, square] = [0, 0];
    for (let i = o; i < y.length; i += channels) mean += y[i] / rows;
    for (let i = o; i < y.length; i += channels) square += (y[i] - mean) ** 2 / rows;
    const factor = scale[o] / Math.sqrt(square + 1e-5);
    for (let i = o; i < y.length; i += channels) {
      y[i] = Math.max(0, (y[i] - mean) * factor + bias[o]);
    }
  }
  let loss = 0;
  for (let n = 0; n < count; n++) {
    const logits = Float64Array.from({ length: classes }, (_, j) => offsets[j]);
    for (let place = 0; place < half * half; place++) {
      const [row, column] = [2 * Math.floor(place / half), 2 * (place % half)];
      for (let o = 0; o < channels; o++) {
        const at = (r: number, c: number): number =>
          y[((n * side + row + r) * side + column + c) * channels + o];
        const largest = Math.max(at(0, 0), at(0, 1), at(1, 0), at(1, 1));
        for (let j = 0; j < classes; j++) {
          logits[j] += largest * weights[(place * channels + o) * classes + j];
        }
      }
    }
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
    loss += Math.log(total) - logits[target.data[n]];
  }
  return loss;
}

describe('the Hessian', () => {
  const widths = { channels: 3, classes: 4 };
  const small = model({
    conv: conv(2, widths.channels),
    bn: batchNorm(widths.channels),
    relu: relu(),
    pool: maxPool(2),
    flatten: flatten(),
    linear: linear(2 * 2 * widths.channels, widths.classes, { hasBias: true }),
  });
  const variables = variablesOf(small, 1);
  const batches = [batch(4, 4, 2, 3), batch(4, 4, 2, 4)];
  const sample = { model: small, variables, batches, isTraining: true };

  test('of a small network: every entry equals finite differences in float64', async () => {
    const columns = await dense(sample);
    const at = Float64Array.from(toVector(vectorLayout(small.graph), variables));
    // Small enough that no ReLU and no maximum switches on the way.
    const step = 2e-5;
    const lossAt = (i: number, di: number, j: number, dj: number): number => {
      const moved = at.slice();
      moved[i] += di;
      moved[j] += dj;
      return batches.reduce((sum, one) => sum + plainLoss(one, widths, moved), 0) / batches.length;
    };
    const scale = Math.max(...columns.map((column) => Math.max(...column.map(Math.abs))));
    expect(scale).toBeGreaterThan(1);
    let worst = 0;
    for (let i = 0; i < at.length; i++) {
      for (let j = 0; j <= i; j++) {
        const expected =
          (lossAt(i, step, j, step) -
            lossAt(i, step, j, -step) -
            lossAt(i, -step, j, step) +
            lossAt(i, -step, j, -step)) /
          (4 * step * step);
        worst = Math.max(
          worst,
          Math.abs(columns[i][j] - expected) / scale,
          Math.abs(columns[j][i] - expected) / scale,
        );
      }
    }
    expect(worst).toBeLessThan(1e-5);
  });

  test('has the leading eigenvalues of the dense matrix', async () => {
    const columns = await dense(sample);
    const matrix = new Matrix(columns.map((column) => [...column]));
    const { realEigenvalues } = new EigenvalueDecomposition(
      Matrix.add(matrix, matrix.transpose()).mul(0.5),
      { assumeSymmetric: true },
    );
    const expected = [...realEigenvalues];
    expected.sort((a, b) => Math.abs(b) - Math.abs(a));
    const hessian = createHessian(sample);
    const found = await lanczos(hessian.product, hessian.layout.size, { count: 5 });
    hessian.dispose();
    const magnitudes = [...found.values];
    magnitudes.sort((a, b) => Math.abs(b) - Math.abs(a));
    for (const [i, value] of magnitudes.entries()) {
      expect(Math.abs(value - expected[i]) / expected[0]).toBeLessThan(1e-4);
    }
  });

  const everyKind = (first: AnyLayer, second: AnyLayer): Net<AnyLayer> => ({
    prep: { conv: conv(2, 4), bn: ghostBatchNorm(4, 2), act: first },
    layer: {
      conv: conv(4, 6, { stride: 2 }),
      act: celu(0.3),
      bn: batchNorm(6, { isScaleFrozen: true }),
      in: identity(),
      res1: { conv: conv(6, 6), bn: batchNorm(6), act: second },
      add: [add(), ['in', 'res1/act']],
    },
    final: {
      in: identity(),
      maxpool: maxPool(4),
      avgpool: [avgPool(4), 'in'],
      concat: [concat(), ['maxpool', 'avgpool']],
      flatten: flatten(),
      linear: linear(12, 4, { hasBias: true }),
    },
    logits: mul(0.5),
  });
  const smooth = everyKind(softplus({ beta: 2 }), celu(0.5));
  // Where a step crosses a corner, the gradient jumps, which the Hessian does not contain: hence the smaller step.
  const cornered = everyKind(softplus({ beta: 10, threshold: 2.5 }), relu());

  test.each([
    ['smooth', 1e-3, true],
    ['smooth', 1e-3, false],
    ['cornered', 1e-4, true],
    ['cornered', 1e-4, false],
  ] as const)(
    'of every kind of layer, %s, step %f, training %s: symmetric, and equal to the slope of the gradient',
    async (name, step, isTraining) => {
      const everyLayer = name === 'smooth' ? smooth : cornered;
      const net = model(everyLayer, labelSmoothingLoss(0.2));
      const start = variablesOf(net, 2);
      const one = batch(8, 8, 2, 3);
      const hessian = createHessian({
        model: net,
        variables: start,
        batches: [one],
        isTraining,
      });
      const { layout } = hessian;
      const [v, w] = [3, 4].map((seed) => randomDirection(layout.size, createRng(seed)));
      const [hv, hw] = [await hessian.product(v), await hessian.product(w)];
      hessian.dispose();
      expect(dot(w, hv)).toBeCloseTo(dot(v, hw), 4);

      const gradientAt = (distance: number): Float32Array =>
        tf.tidy(() => {
          const moved = perturbed(layout, start, v, distance);
          const tensors = Object.fromEntries(
            Object.entries(moved).map(([path, { shape, data }]) => [
              path,
              tf.tensor(data, [...shape]),
            ]),
          );
          const fed: Batch = {
            input: tf.tensor4d(one.input.data, one.input.shape as [number, number, number, number]),
            target: tf.tensor1d(one.target.data, 'int32'),
          };
          const paths = layout.parts.map(({ path }) => path);
          const found = tf.grads((...moving: tf.Tensor[]) => {
            const changed = Object.fromEntries(paths.map((path, i) => [path, moving[i]]));
            return forward(net, { ...tensors, ...changed }, fed, isTraining).loss.sum();
          })(paths.map((path) => tensors[path]));
          const parts = found.map((part) => part.dataSync() as Float32Array);
          const vector = new Float32Array(layout.size);
          for (const [i, { from }] of layout.parts.entries()) vector.set(parts[i], from);
          return vector;
        });
      const [ahead, behind] = [gradientAt(step), gradientAt(-step)];
      const slope = ahead.map((x, i) => (x - behind[i]) / (2 * step));
      const difference = norm(slope.map((x, i) => x - hv[i]));
      expect(difference / norm(hv)).toBeLessThan(0.01);
    },
  );

  test('leaks no tensor, and stops when the signal aborts', async () => {
    const before = tf.memory().numTensors;
    const controller = new AbortController();
    const hessian = createHessian({ ...sample, signal: controller.signal });
    const vector = randomDirection(hessian.layout.size, createRng(1));
    await hessian.product(vector);
    const held = tf.memory().numTensors;
    await hessian.product(vector);
    expect(tf.memory().numTensors).toBe(held);
    controller.abort();
    await expect(hessian.product(vector)).rejects.toThrow(/before batch 1 of 2/);
    hessian.dispose();
    expect(tf.memory().numTensors).toBe(before);
    expect(() => createHessian({ ...sample, batches: [] })).toThrow(/batches is empty/);
  });
});
