import * as tf from '@tensorflow/tfjs-core';
import { erf } from './erf';
import { sizeOf } from '../src/base/host-tensor';
import type { HostTensor } from '../src/base/host-tensor';
import { createRng } from '../src/base/rng';
import { createSession } from '../src/engine/session';
import type { OwnActivation } from '../src/engine/raw/own-operations';

/** Number formats of images and weights. */
export const formats = ['fp32', 'bf16'] as const;
/** One of them. */
export type Format = (typeof formats)[number];

/** In fp32 sums and exponentials round; a number that is stored in bf16 is off by up to 2^-8 of itself. */
export const bars: Readonly<Record<Format, number>> = { fp32: 2e-6, bf16: 2 ** -7.99 };

/** Sums are in fp32 in both; in bf16 their terms are off by 2e-4, because the activations are shorter polynomials. */
export const sumBars: Readonly<Record<Format, number>> = { fp32: 5e-6, bf16: 5e-4 };

const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const normal = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const alpha = 0.3;

/** Each activation, its value and its derivative. */
export const activations: readonly (readonly [
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

/** Numbers that bf16 holds exactly, so that both formats get the same input. */
export function numbers(shape: readonly number[], seed: number, scale = 1, offset = 0): HostTensor {
  const data = createRng(seed, 'numbers').fillUniform(new Float32Array(sizeOf(shape)), -1, 1);
  return { shape, data: data.map((value) => Math.round((scale * value + offset) * 64) / 64) };
}

/** The inputs of a captured step. */
export type Feeds = Readonly<Record<string, HostTensor>>;

/**
 * Runs a function of tensors as a captured step. Inputs whose names are in `low` are in the number format: a product with the
 * identity converts them without changing a value.
 */
export async function run(
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

/** A tensor of this shape, element by element. */
export const like = (shape: readonly number[], value: (i: number) => number): HostTensor => ({
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(i)),
});

/** A dot product whose gradient is dy. */
export const weighed = (y: tf.Tensor, dy: tf.Tensor): tf.Tensor => y.mul(dy).sum();
