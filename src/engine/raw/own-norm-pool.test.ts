import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../../test/expect-close';
import type { HostTensor } from '../../base/host-tensor';
import { loadTensorflow } from '../tensorflow';
import { normActivationInference, normActivationTraining } from './batch-norm';
import { biasActivation } from './bias-activation';
import { ownMaxPool } from './max-pool';
import type { OwnActivation } from './own-operations';
import {
  formats,
  bars,
  sumBars,
  activations,
  numbers,
  run,
  like,
  weighed,
} from '../../../test/own-kernel-cases';
import type { Format } from '../../../test/own-kernel-cases';

beforeAll(() => {
  loadTensorflow();
});

/** Batch norm in plain float64 loops, with the gradients of weighed(y, dy). */
function plainNorm(
  x: HostTensor,
  { scale, bias, dy }: Readonly<Record<'scale' | 'bias' | 'dy', HostTensor>>,
  epsilon: number,
  value: (z: number) => number,
  slope: (z: number) => number,
): Record<string, HostTensor> {
  const channels = scale.data.length;
  const count = x.data.length / channels;
  const perChannel = (term: (i: number, c: number) => number): Float64Array => {
    const sums = new Float64Array(channels);
    for (let i = 0; i < x.data.length; i++) sums[i % channels] += term(i, i % channels);
    return sums;
  };
  const mean = perChannel((i) => x.data[i] / count);
  const variance = perChannel((i, c) => (x.data[i] - mean[c]) ** 2 / count);
  const r = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  const n = (i: number): number => (x.data[i] - mean[i % channels]) * r[i % channels];
  const z = (i: number): number => n(i) * scale.data[i % channels] + bias.data[i % channels];
  const g = (i: number): number => dy.data[i] * slope(z(i));
  const sumG = perChannel(g);
  const sumGn = perChannel((i) => g(i) * n(i));
  const of = (data: Float64Array): HostTensor => ({
    shape: [channels],
    data: Float32Array.from(data),
  });
  return {
    y: like(x.shape, (i) => value(z(i))),
    mean: of(mean),
    variance: of(variance.map((v) => (v * count) / Math.max(1, count - 1))),
    dx: like(x.shape, (i) => {
      const c = i % channels;
      return r[c] * scale.data[c] * (g(i) - sumG[c] / count - (n(i) * sumGn[c]) / count);
    }),
    dscale: of(sumGn),
    dbias: of(sumG),
  };
}

async function ownNorm(
  format: Format,
  feeds: Readonly<Record<'x' | 'scale' | 'bias' | 'dy', HostTensor>>,
  epsilon: number,
  activation: OwnActivation,
): Promise<Record<string, HostTensor>> {
  return run(format, feeds, ['x', 'dy'], (given) => {
    const apply = (...[x, scale, bias]: tf.Tensor[]): ReturnType<typeof normActivationTraining> =>
      normActivationTraining(
        x as tf.Tensor4D,
        scale as tf.Tensor1D,
        bias as tf.Tensor1D,
        epsilon,
        activation,
      );
    const { output, mean, variance } = apply(given['x'], given['scale'], given['bias']);
    const [dx, dscale, dbias] = tf.grads((...args) => weighed(apply(...args).output, given['dy']))([
      given['x'],
      given['scale'],
      given['bias'],
    ]);
    return { y: output, mean, variance, dx, dscale, dbias };
  });
}

const normShapes = [
  [2, 3, 5, 7],
  [2, 4, 4, 24],
  [9, 3, 3, 33],
  [5, 8, 8, 64],
  [70, 5, 5, 80],
] as const;

describe.each(formats)('batch norm with an activation in %s', (format) => {
  test.each(activations)('%j', async (activation, value, slope) => {
    for (const shape of normShapes) {
      const channels = shape[3];
      const feeds = {
        x: numbers(shape, 4, 3, 1),
        dy: numbers(shape, 5),
        scale: numbers([channels], 6, 0.5, 1),
        bias: numbers([channels], 7),
      };
      const found = await ownNorm(format, feeds, 1e-5, activation);
      const expected = plainNorm(feeds.x, feeds, 1e-5, value, slope);
      for (const [key, tensor] of Object.entries(expected)) {
        const bar = key === 'y' || key === 'dx' ? bars[format] : sumBars[format];
        expectClose(`${activation.kind} [${shape.join()}] ${key}`, found[key], tensor, bar);
      }
    }
  });
});

describe('batch norm', () => {
  test('sums are bit-identical in every run', async () => {
    const shape = [64, 15, 15, 24];
    const feeds = {
      x: numbers(shape, 20, 3),
      dy: numbers(shape, 21),
      scale: numbers([24], 22, 0.5, 1),
      bias: numbers([24], 23),
    };
    const [first, second] = [
      await ownNorm('bf16', feeds, 1e-5, { kind: 'silu' }),
      await ownNorm('bf16', feeds, 1e-5, { kind: 'silu' }),
    ];
    for (const [key, { data }] of Object.entries(first)) {
      expect(Buffer.from(second[key].data.buffer).equals(Buffer.from(data.buffer))).toBe(true);
    }
  });

  test('statistics are exact for a mean of 1,000 standard deviations, and zero variance is zero', async () => {
    const shape = [40, 6, 6, 18];
    const x = numbers(shape, 8);
    const data = x.data.map((value, i) => (i % 18 === 17 ? 3.1 : value + 1000));
    const one = { shape: [18], data: new Float32Array(18).fill(1) };
    const feeds = {
      x: { shape, data },
      dy: numbers(shape, 9),
      scale: one,
      bias: { shape: [18], data: new Float32Array(18) },
    };
    const found = await ownNorm('fp32', feeds, 1e-12, { kind: 'none' });
    const expected = plainNorm(
      feeds.x,
      feeds,
      1e-12,
      (z) => z,
      () => 1,
    );
    expectClose('variance', found['variance'], expected['variance'], 2e-6);
    expect(found['variance'].data[17]).toBe(0);
    expect(found['y'].data.filter((_, i) => i % 18 === 17).every((y) => y === 0)).toBe(true);
  });

  test('NaN in one channel makes that channel NaN and no other', async () => {
    const shape = [4, 3, 3, 20];
    const x = numbers(shape, 10);
    x.data[25] = NaN;
    const ones = { shape: [20], data: new Float32Array(20).fill(1) };
    const feeds = { x, dy: numbers(shape, 11), scale: ones, bias: ones };
    for (const format of formats) {
      const { y, mean } = await run(format, feeds, [], (given) => {
        const { output, mean: means } = normActivationTraining(
          given['x'] as tf.Tensor4D,
          given['scale'] as tf.Tensor1D,
          given['bias'] as tf.Tensor1D,
          1e-5,
          { kind: 'gelu' },
        );
        return { y: output, mean: means };
      });
      expect([...y.data].map(Number.isNaN)).toEqual([...y.data.keys()].map((i) => i % 20 === 5));
      expect([...mean.data].map(Number.isNaN)).toEqual([...mean.data.keys()].map((c) => c === 5));
    }
  });

  test.each(activations)('with given statistics and %j, and five gradients', async (activation) => {
    const shape = [3, 4, 5, 21];
    const feeds = {
      x: numbers(shape, 12, 3),
      dy: numbers(shape, 13),
      scale: numbers([21], 14, 0.5, 1),
      bias: numbers([21], 15),
      mean: numbers([21], 16),
      variance: numbers([21], 17, 0.5, 1),
    };
    const [, value] = activations.find(([given]) => given === activation) ?? activations[0];
    const normalised = (i: number): number => {
      const c = i % 21;
      const n = (feeds.x.data[i] - feeds.mean.data[c]) / Math.sqrt(feeds.variance.data[c] + 1e-5);
      return n * feeds.scale.data[c] + feeds.bias.data[c];
    };
    const names = ['x', 'scale', 'bias', 'mean', 'variance'] as const;
    const apply = (...[x, scale, bias, mean, variance]: tf.Tensor[]): tf.Tensor =>
      normActivationInference(
        x as tf.Tensor4D,
        { scale, bias, mean, variance } as Record<(typeof names)[number], tf.Tensor1D>,
        1e-5,
        activation,
      );
    const composed = (...[x, scale, bias, mean, variance]: tf.Tensor[]): tf.Tensor =>
      biasActivation(
        x.sub(mean).mul(variance.add(1e-5).rsqrt()).mul(scale),
        bias as tf.Tensor1D,
        activation,
      );
    const found = await run('fp32', feeds, [], (given) => {
      const at = names.map((name) => given[name]);
      const gradients = (f: typeof apply): tf.Tensor[] =>
        tf.grads((...args) => weighed(f(...args), given['dy']))(at);
      return Object.fromEntries([
        ['y', apply(...at)],
        ...gradients(apply).map((t, i) => [`own ${names[i]}`, t]),
        ...gradients(composed).map((t, i) => [`composed ${names[i]}`, t]),
      ]) as Record<string, tf.Tensor>;
    });
    expectClose(
      'y',
      found['y'],
      like(shape, (i) => value(normalised(i))),
      2e-6,
    );
    for (const name of names) {
      expectClose(name, found[`own ${name}`], found[`composed ${name}`], 1e-5);
    }
  });
});

/** Max pooling in plain loops: values, and for each input where the gradient goes. */
function plainPool(
  x: HostTensor,
  dy: HostTensor,
  size: number,
): { readonly y: HostTensor; readonly dx: HostTensor } {
  const [n, h, w, c] = x.shape;
  const [rows, columns] = [Math.floor(h / size), Math.floor(w / size)];
  const y = new Float32Array(n * rows * columns * c);
  const dx = new Float32Array(x.data.length);
  for (const to of y.keys()) {
    const channel = to % c;
    const column = Math.floor(to / c) % columns;
    const row = Math.floor(to / (c * columns)) % rows;
    const image = Math.floor(to / (c * columns * rows));
    let best = -1;
    for (let i = 0; i < size * size; i++) {
      const [down, across] = [row * size + Math.floor(i / size), column * size + (i % size)];
      const at = ((image * h + down) * w + across) * c + channel;
      if (best < 0 || x.data[at] > x.data[best] || Number.isNaN(x.data[at])) best = at;
    }
    y[to] = x.data[best];
    dx[best] += dy.data[to];
  }
  return { y: { shape: [n, rows, columns, c], data: y }, dx: { shape: x.shape, data: dx } };
}

describe.each(formats)('max pooling in %s', (format) => {
  test.each([
    [[2, 4, 4, 8], 2],
    [[3, 7, 5, 24], 2],
    [[2, 3, 3, 33], 3],
    [[2, 9, 10, 3], 4],
    [[1, 16, 16, 17], 16],
    [[2, 5, 5, 1], 1],
    [[40, 15, 15, 64], 2],
  ] as const)('x=[%j] size=%i: exactly, ties to the first', async (shape, size) => {
    // Few different values, so that many windows have ties; zeros of both signs are equal.
    const x = numbers(shape, 18);
    for (const [i, value] of x.data.entries()) x.data[i] = Math.round(value * 3);
    const [n, h, w, c] = shape;
    const dy = numbers([n, Math.floor(h / size), Math.floor(w / size), c], 19);
    const found = await run(format, { x, dy }, ['x', 'dy'], (given) => {
      const pool = (t: tf.Tensor): tf.Tensor => ownMaxPool(t as tf.Tensor4D, size);
      return {
        y: pool(given['x']),
        dx: tf.grad((t) => weighed(pool(t), given['dy']))(given['x']),
      };
    });
    const expected = plainPool(x, dy, size);
    expectClose('y', found['y'], expected.y, 0);
    expectClose('dx', found['dx'], expected.dx, 0);
  });

  test('NaN of either sign stays NaN, wherever in the window it is', async () => {
    const x = { shape: [4, 2, 2, 1], data: new Float32Array(16).fill(1) };
    for (let i = 0; i < 4; i++) x.data[5 * i] = NaN;
    new DataView(x.data.buffer).setUint32(20, 0xffc00000, true);
    const { y } = await run(format, { x }, [], (given) => ({
      y: ownMaxPool(given['x'] as tf.Tensor4D, 2),
    }));
    expect([...y.data].every(Number.isNaN)).toBe(true);
  });
});
