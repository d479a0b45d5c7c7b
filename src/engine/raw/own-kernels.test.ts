import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../../test/expect-close';
import { loadTensorflow } from '../tensorflow';
import { biasActivation } from './bias-activation';
import { hasOwnKernels, withOwnKernels } from './own-kernels';
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

beforeAll(() => {
  loadTensorflow();
});

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

describe('own kernels', () => {
  test('are available in a recording only, and not if they are switched off', async () => {
    expect(hasOwnKernels()).toBe(false);
    let seen: boolean[] = [];
    await run('fp32', { x: numbers([1], 1) }, [], ({ x }) => {
      seen = [hasOwnKernels(), withOwnKernels(false, hasOwnKernels), hasOwnKernels()];
      return { x: x.add(1) };
    });
    expect(seen).toEqual([true, false, true]);
    expect(hasOwnKernels()).toBe(false);
  });
});
