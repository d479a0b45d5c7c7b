import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { erf } from '../../../test/erf';
import { expectClose } from '../../../test/expect-close';
import { sizeOf } from '../../base/host-tensor';
import type { HostTensor } from '../../base/host-tensor';
import { createRng } from '../../base/rng';
import { createSession } from '../session';
import { loadTensorflow } from '../tensorflow';
import { normActivationInference, normActivationTraining } from './batch-norm';
import { biasActivation } from './bias-activation';
import { ownMaxPool } from './max-pool';
import { hasOwnKernels, withOwnKernels } from './own-kernels';
import type { OwnActivation } from './own-operations';

beforeAll(() => {
  loadTensorflow();
});

const formats = ['fp32', 'bf16'] as const;
type Format = (typeof formats)[number];

/** In fp32 sums and exponentials round; a number that is stored in bf16 is off by up to 2^-8 of itself. */
const bars: Readonly<Record<Format, number>> = { fp32: 2e-6, bf16: 2 ** -7.99 };

/** Sums are in fp32 in both; in bf16 their terms are off by 2e-4, as the activations are shorter polynomials. */
const sumBars: Readonly<Record<Format, number>> = { fp32: 5e-6, bf16: 5e-4 };

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const normal = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const alpha = 0.3;

const activations: readonly (readonly [
  activation: OwnActivation,
  value: (x: number) => number,
  slope: (x: number) => number,
])[] = [
  [{ kind: 'none' }, (x) => x, () => 1],
  [{ kind: 'relu' }, (x) => Math.max(0, x), (x) => (x > 0 ? 1 : 0)],
  [{ kind: 'gelu' }, (x) => x * normal(x), (x) => normal(x) + x * density(x)],
  [{ kind: 'silu' }, (x) => x * logistic(x), (x) => logistic(x) * (1 + x * (1 - logistic(x)))],
  [
    { kind: 'celu', alpha },
    (x) => (x > 0 ? x : alpha * Math.expm1(x / alpha)),
    (x) => (x > 0 ? 1 : Math.exp(x / alpha)),
  ],
];

/** Numbers that bf16 holds exactly, so that both formats are given the same. */
function numbers(shape: readonly number[], seed: number, scale = 1, offset = 0): HostTensor {
  const data = createRng(seed, 'numbers').fillUniform(new Float32Array(sizeOf(shape)), -1, 1);
  return { shape, data: data.map((value) => Math.round((scale * value + offset) * 64) / 64) };
}

type Feeds = Readonly<Record<string, HostTensor>>;

/**
 * Runs a function of tensors in a recording. Inputs whose names are in `low` are in the number format: a product with the
 * identity leaves each of them as it is.
 */
async function run(
  format: Format,
  feeds: Feeds,
  low: readonly string[],
  body: (inputs: Record<string, tf.Tensor>) => Record<string, tf.Tensor>,
): Promise<Record<string, HostTensor>> {
  const eyes = Object.fromEntries(
    low.map((name) => {
      const channels = feeds[name].shape.at(-1) ?? 1;
      const data = new Float32Array(channels ** 2);
      for (let i = 0; i < channels; i++) data[i * (channels + 1)] = 1;
      return [`eye ${name}`, { shape: [channels, channels], data }];
    }),
  );
  const session = createSession({}, { precision: format });
  try {
    const step = session.capture(
      'kernel',
      (_state, inputs) => {
        const given = inputs as Record<string, tf.Tensor>;
        for (const name of low) {
          const x = given[name];
          given[name] = tf
            .matMul(x.reshape([-1, x.shape.at(-1) ?? 1]), given[`eye ${name}`])
            .reshape(x.shape);
        }
        return { outputs: body(given) };
      },
      { ...feeds, ...eyes },
    );
    return await step({ ...feeds, ...eyes });
  } finally {
    session.dispose();
  }
}

const like = (shape: readonly number[], value: (i: number) => number): HostTensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)),
});

/** A dot product whose gradient is dy. */
const weighed = (y: tf.Tensor, dy: tf.Tensor): tf.Tensor => y.mul(dy).sum();

const shapes = [
  [2, 3, 5, 7],
  [1, 1, 1, 1],
  [3, 16],
  [2, 4, 4, 24],
  [9, 3, 3, 33],
  [5, 8, 8, 64],
] as const;

describe.each(formats)('activations with a bias in %s', (format) => {
  test.each(activations)('%j', async (activation, value, slope) => {
    for (const shape of shapes) {
      const channels = shape[shape.length - 1];
      const [x, dy, bias] = [numbers(shape, 1, 4), numbers(shape, 2), numbers([channels], 3)];
      const z = (i: number): number => x.data[i] + bias.data[i % channels];
      const found = await run(format, { x, dy, bias }, ['x', 'dy'], (given) => {
        const apply = (...[t, b]: tf.Tensor[]): tf.Tensor =>
          biasActivation(t, b as tf.Tensor1D, activation);
        const [dx, dbias] = tf.grads((t, b) => weighed(apply(t, b), given['dy']))([
          given['x'],
          given['bias'],
        ]);
        return { y: apply(given['x'], given['bias']), dx, dbias };
      });
      const sums = new Float64Array(channels);
      for (const [i, g] of dy.data.entries()) sums[i % channels] += g * slope(z(i));
      const name = `${activation.kind} [${shape.join()}]`;
      expectClose(
        `${name} y`,
        found['y'],
        like(shape, (i) => value(z(i))),
        bars[format],
      );
      expectClose(
        `${name} dx`,
        found['dx'],
        like(shape, (i) => dy.data[i] * slope(z(i))),
        bars[format],
      );
      expectClose(
        `${name} dbias`,
        found['dbias'],
        { shape: [channels], data: sums },
        sumBars[format],
      );
    }
  });
});

describe('activations in fp32', () => {
  const points = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 100);
  const feeds = {
    x: { shape: [points.length, 1], data: points },
    bias: { shape: [1], data: Float32Array.of(0) },
  };

  test.each(activations)('%j from -20 to 20: within 1e-6', async (activation, value, slope) => {
    const found = await run('fp32', feeds, [], ({ x, bias }) => {
      const apply = (t: tf.Tensor): tf.Tensor => biasActivation(t, bias as tf.Tensor1D, activation);
      return { y: apply(x), dx: tf.grad((t) => apply(t).sum())(x) };
    });
    // Large values are exact to the last bits of float32.
    const error = (y: number, exact: number, at: number): number =>
      Math.abs(y - exact) / Math.max(1, Math.abs(at));
    const worst = (key: string, exact: (x: number) => number): number =>
      Math.max(...points.map((at, i) => error(found[key].data[i], exact(at), at)));
    expect(worst('y', value)).toBeLessThan(1e-6);
    expect(worst('dx', slope)).toBeLessThan(1e-6);
  });

  test.each([{ kind: 'gelu' }, { kind: 'silu' }] as const)(
    '%j of negative numbers: the relative error stays below that of bf16',
    async (activation) => {
      const value = activations.find(([{ kind }]) => kind === activation.kind)?.[1] as (
        x: number,
      ) => number;
      const found = await run('fp32', feeds, [], ({ x, bias }) => ({
        y: biasActivation(x, bias as tf.Tensor1D, activation),
      }));
      const errors = [...points.entries()]
        .filter(([, at]) => at < 0 && at >= -5)
        .map(([i, at]) => Math.abs(found['y'].data[i] / value(at) - 1));
      expect(Math.max(...errors)).toBeLessThan(2 ** -12);
    },
  );

  test.each(activations)('%j of NaN is NaN', async (activation) => {
    const x = { shape: [1, 3], data: Float32Array.of(NaN, 1, -1) };
    const bias = { shape: [3], data: new Float32Array(3) };
    for (const format of formats) {
      const { y } = await run(format, { x, bias }, [], (given) => ({
        y: biasActivation(given['x'], given['bias'] as tf.Tensor1D, activation),
      }));
      expect(Number.isNaN(y.data[0])).toBe(true);
      expect(Number.isFinite(y.data[1]) && Number.isFinite(y.data[2])).toBe(true);
    }
  });
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

  test.each(activations)('by given statistics with %j, and five gradients', async (activation) => {
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

describe('own kernels', () => {
  test('are there in a recording only, and not where they are switched off', async () => {
    expect(hasOwnKernels()).toBe(false);
    let seen: boolean[] = [];
    await run('fp32', { x: numbers([1], 1) }, [], ({ x }) => {
      seen = [hasOwnKernels(), withOwnKernels(false, hasOwnKernels), hasOwnKernels()];
      return { x: x.add(1) };
    });
    expect(seen).toEqual([true, false, true]);
    expect(hasOwnKernels()).toBe(false);
  });

  test('sums have the same bits in every run', async () => {
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
});
