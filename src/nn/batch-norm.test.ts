import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import type { Numbers } from '../../test/expect-close';
import { LayerError } from '../base/errors';
import { createRng } from '../base/rng';
import { loadTensorflow } from '../engine/tensorflow';
import { batchNorm, batchNormForward, batchNormParameters, ghostBatchNorm } from './batch-norm';
import type { BatchNormLayer } from './batch-norm';

beforeAll(() => {
  loadTensorflow();
});

const host = (t: tf.Tensor): Numbers => ({ shape: t.shape, data: t.dataSync() });
const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

type Shape = readonly [n: number, h: number, w: number, c: number];

/** The definition in float64 loops, for each channel of each split. */
function plain(
  layer: BatchNormLayer,
  [n, h, w, c]: Shape,
  x: ArrayLike<number>,
  scale: readonly number[],
  bias: readonly number[],
): { readonly y: number[]; readonly mean: number[]; readonly unbiased: number[] } {
  const { splits, epsilon } = layer;
  const y = Array.from({ length: n * h * w * c }, () => NaN);
  const [mean, unbiased] = [Array.from({ length: c }, () => 0), Array.from({ length: c }, () => 0)];
  for (let channel = 0; channel < c; channel++) {
    for (let split = 0; split < splits; split++) {
      const places = Array.from({ length: n * h * w }, (_, pixel) => pixel)
        .filter((pixel) => Math.floor(pixel / (h * w)) % splits === split)
        .map((pixel) => pixel * c + channel);
      const m = sumOf(places.map((at) => x[at])) / places.length;
      const squares = sumOf(places.map((at) => (x[at] - m) ** 2));
      for (const at of places) {
        const normal = (x[at] - m) / Math.sqrt(squares / places.length + epsilon);
        y[at] = normal * scale[channel] + bias[channel];
      }
      mean[channel] += m / splits;
      unbiased[channel] += squares / (places.length - 1) / splits;
    }
  }
  return { y, mean, unbiased };
}

describe('batchNormForward in training', () => {
  test('output and new running statistics, for any shape and number of splits', () => {
    fc.assert(
      fc.property(
        fc.record({
          perSplit: fc.integer({ min: 1, max: 3 }),
          splits: fc.integer({ min: 1, max: 3 }),
          h: fc.integer({ min: 2, max: 3 }),
          w: fc.integer({ min: 1, max: 3 }),
          c: fc.integer({ min: 1, max: 4 }),
          momentum: fc.constantFrom(0.1, 0.3),
          seed: fc.nat(),
        }),
        ({ perSplit, splits, h, w, c, momentum, seed }) => {
          const rng = createRng(seed);
          const draw = (count: number, low: number, high: number): number[] =>
            Array.from(rng.fillUniform(new Float32Array(count), low, high));
          const shape: Shape = [perSplit * splits, h, w, c];
          const x = draw(
            shape.reduce((a, b) => a * b),
            -1,
            3,
          );
          const [scale, bias, oldMean] = [draw(c, 0.5, 2), draw(c, -1, 1), draw(c, -1, 1)];
          const oldVar = draw(c, 0.5, 2);
          const layer =
            splits === 1
              ? batchNorm(c, { momentum })
              : ghostBatchNorm(c, splits, { momentum, epsilon: 1e-3 });
          const expected = plain(layer, shape, x, scale, bias);
          tf.tidy(() => {
            const { output, running } = batchNormForward(
              layer,
              tf.tensor4d(x, [...shape]),
              {
                weight: tf.tensor1d(scale),
                bias: tf.tensor1d(bias),
                running_mean: tf.tensor1d(oldMean),
                running_var: tf.tensor1d(oldVar),
              },
              true,
            );
            expectClose('output', host(output), { shape, data: expected.y });
            const follow = (old: readonly number[], batch: readonly number[]): Numbers => ({
              shape: [c],
              data: old.map((o, i) => (1 - momentum) * o + momentum * batch[i]),
            });
            const { running_mean: mean, running_var: variance } = running ?? {};
            expectClose('mean', host(mean), follow(oldMean, expected.mean));
            expectClose('variance', host(variance), follow(oldVar, expected.unbiased));
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a constant split normalises to zero, whatever the other splits hold', () => {
    const x = tf.tensor4d([5, 0, 5, 1, 5, 2], [6, 1, 1, 1]);
    const { output } = batchNormForward(ghostBatchNorm(1, 2), x, ones(1), true);
    const [a, , b, , c] = output.dataSync();
    expect([a, b, c]).toEqual([0, 0, 0]);
  });
});

function ones(channels: number): Record<string, tf.Tensor> {
  return Object.fromEntries(
    ['weight', 'bias', 'running_mean', 'running_var'].map((name) => {
      const isOne = name === 'weight' || name === 'running_var';
      return [name, isOne ? tf.ones([channels]) : tf.zeros([channels])];
    }),
  );
}

test('evaluation uses the running statistics, for any number of examples', () => {
  const layer = ghostBatchNorm(2, 4, { epsilon: 0.25 });
  const { output, running } = batchNormForward(
    layer,
    tf.tensor4d([1, 2, 3, 4, 5, 6], [3, 1, 1, 2]),
    {
      weight: tf.tensor1d([2, 3]),
      bias: tf.tensor1d([10, 20]),
      running_mean: tf.tensor1d([1, 2]),
      running_var: tf.tensor1d([3.75, 0.75]),
    },
    false,
  );
  // sqrt(variance + epsilon) is 2 and 1.
  expectClose('output', host(output), { shape: [3, 1, 1, 2], data: [10, 20, 12, 26, 14, 32] });
  expect(running).toBeUndefined();
});

test('epsilon is 1e-5 by default: a channel of variance 1e-5 gets variance 1/2', () => {
  const deviation = Math.sqrt(1e-5);
  const x = tf.tensor4d([-deviation, deviation], [2, 1, 1, 1]);
  const { output } = batchNormForward(batchNorm(1), x, ones(1), true);
  expectClose('output', host(output), { shape: [2, 1, 1, 1], data: [-Math.SQRT1_2, Math.SQRT1_2] });
});

describe('batchNormParameters', () => {
  test('roles and initial values; scale and bias can be frozen, the scale starts at 1', () => {
    const roles = (layer: BatchNormLayer): string[] =>
      batchNormParameters(layer).map(({ name, role }) => `${name} ${role}`);
    const running = ['running_mean running', 'running_var running'];
    expect(roles(batchNorm(3))).toEqual(['weight trainable', 'bias trainable', ...running]);
    expect(roles(ghostBatchNorm(3, 2, { isScaleFrozen: true }))).toEqual([
      'weight frozen',
      'bias trainable',
      ...running,
    ]);
    expect(roles(batchNorm(3, { isBiasFrozen: true }))).toEqual([
      'weight trainable',
      'bias frozen',
      ...running,
    ]);
    const values = batchNormParameters(batchNorm(2)).map(({ init }) => [
      ...init(createRng(1)).data,
    ]);
    expect(values).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 1],
    ]);
  });

  test('a scale can start at any number, or be drawn from U(0, 1)', () => {
    const scale = (scaleInit: number | 'uniform'): Float32Array =>
      batchNormParameters(batchNorm(2000, { scaleInit }))[0].init(createRng(1))
        .data as Float32Array;
    expect(new Set(scale(0.25))).toEqual(new Set([0.25]));
    const drawn = [...scale('uniform')];
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
    expect(sumOf(drawn) / drawn.length).toBeCloseTo(0.5, 1);
    expect(Math.max(...drawn) - Math.min(...drawn)).toBeGreaterThan(0.98);
  });
});

test('rejects a wrong number of channels, and a batch that does not divide into the splits', () => {
  const run = (layer: BatchNormLayer, shape: [number, number, number, number]) => (): unknown =>
    batchNormForward(layer, tf.zeros(shape), ones(layer.channels), true);
  expect(run(batchNorm(3), [2, 1, 1, 4])).toThrow(/\[2,1,1,4\]; expected \[N,H,W,3\]/);
  expect(run(ghostBatchNorm(3, 4), [6, 1, 1, 3])).toThrow(LayerError);
  expect(run(ghostBatchNorm(3, 4), [6, 1, 1, 3])).toThrow(/6 cannot be divided into 4 splits/);
});
