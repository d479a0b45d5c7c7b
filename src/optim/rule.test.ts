import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import type { Numbers } from '../../test/expect-close';
import { OptimError } from '../base/errors';
import { readSafetensors } from '../data/safetensors';
import { loadTensorflow } from '../engine/tensorflow';
import { lars, nesterovA, nesterovB } from './rule';
import type { Hyper, UpdateRule } from './rule';

beforeAll(() => {
  loadTensorflow();
});

const hyperOf = (lr: number, weightDecay: number, momentum: number): Hyper => ({
  lr: tf.scalar(lr),
  weightDecay: tf.scalar(weightDecay),
  momentum: tf.scalar(momentum),
});

/** Weight and velocity after each step on a single number. */
function path(
  rule: UpdateRule,
  start: number,
  steps: readonly (readonly [gradient: number, lr: number])[],
): { readonly weight: number; readonly velocity: number }[] {
  let [weight, velocity] = [tf.scalar(start) as tf.Tensor, tf.scalar(0) as tf.Tensor];
  return steps.map(([gradient, lr]) => {
    ({ weight, velocity } = rule(weight, tf.scalar(gradient), velocity, hyperOf(lr, 0.5, 0.5)));
    return { weight: weight.dataSync()[0], velocity: velocity.dataSync()[0] };
  });
}

describe('Nesterov on one number, computed by hand with wd 1/2, momentum 1/2', () => {
  const steps = [
    [1, 0.5],
    [2, 0.25],
    [0, 0],
  ] as const;

  test('version A multiplies the whole velocity by the current learning rate', () => {
    // d = 1 + 4/2 = 3, v = 3, w = 4 - (3 + 1.5)/2; then d = 2.875, v = 4.375, w = 1.75 - (2.875 + 2.1875)/4.
    expect(path(nesterovA, 4, steps)).toEqual([
      { weight: 1.75, velocity: 3 },
      { weight: 0.484375, velocity: 4.375 },
      { weight: 0.484375, velocity: 4.375 / 2 + 0.484375 / 2 },
    ]);
  });

  test('version B keeps past learning rates in the velocity, so the weight changes even at rate 0', () => {
    // d = -(1 + 2)/2, w = 4 - 1.5 - 0.75; then d = -(2 + 0.875)/4, v = -0.75 + d, w = 1.75 + d + v/2.
    expect(path(nesterovB, 4, steps)).toEqual([
      { weight: 1.75, velocity: -1.5 },
      { weight: 0.296875, velocity: -1.46875 },
      { weight: 0.296875 - 1.46875 / 4, velocity: -1.46875 / 2 },
    ]);
  });

  test('both are the same while the learning rate is constant', () => {
    const constant = [1, -2, 3, 0.5].map((gradient) => [gradient, 0.25] as const);
    const weights = (rule: UpdateRule): Numbers => ({
      shape: [4],
      data: path(rule, 4, constant).map(({ weight }) => weight),
    });
    expectClose('weights', weights(nesterovA), weights(nesterovB), 1e-6);
  });
});

test('no rule changes or disposes its arguments', () => {
  for (const rule of [nesterovA, nesterovB, lars]) {
    const given = [1, 2, 3].map((value) => tf.ones([1, 1, 1, 2]).mul(value));
    rule(given[0], given[1], given[2], hyperOf(0.1, 0.1, 0.9));
    expect(given.map((tensor) => [...tensor.dataSync()])).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  }
});

describe('lars', () => {
  test('scales the learning rate of each output channel by |w| / (|g| + 0.01)', () => {
    // Two channels [kh,kw,cin] = [1,1,2]: w (3,4) and (0,2), g (0.6,0.8) and (0,0).
    const weight = tf.tensor4d([3, 0, 4, 2], [1, 1, 2, 2]);
    const gradient = tf.tensor4d([0.6, 0, 0.8, 0], [1, 1, 2, 2]);
    const { velocity } = lars(weight, gradient, tf.zerosLike(weight), hyperOf(0.1, 0.25, 0.9));
    const [first, second] = [0.1 * (5 / 1.01), 0.1 * (2 / 0.01)];
    expectClose(
      'velocity',
      { shape: velocity.shape, data: velocity.dataSync() },
      {
        shape: [1, 1, 2, 2],
        data: [-first * (0.6 + 0.75), 0, -first * (0.8 + 1), -second * 0.5],
      },
      1e-6,
    );
  });

  test('refuses a tensor that is not a kernel', () => {
    const bias = tf.zeros([8]);
    expect(() => lars(bias, bias, bias, hyperOf(0.1, 0, 0.9))).toThrow(OptimError);
    expect(() => lars(bias, bias, bias, hyperOf(0.1, 0, 0.9))).toThrow(/shape \[8\] has rank 1/);
  });
});

describe("four steps of the reference's rules", () => {
  const folder = join(__dirname, '../../test/fixtures/reference');
  const { tensors } = readSafetensors(join(folder, 'optimisers.safetensors'));
  const { steps } = JSON.parse(readFileSync(join(folder, 'optimisers.json'), 'utf8')) as {
    readonly steps: readonly { lr: number; weight_decay: number; momentum: number }[];
  };
  const stored = (name: string): Numbers => tensors.get(name) as Numbers;
  const tensor = (name: string): tf.Tensor => {
    const { data, shape } = stored(name);
    return tf.tensor(Float32Array.from(data), shape as number[]);
  };

  test.each([
    ['nesterov', nesterovB],
    ['lars', lars],
  ] as const)('%s', (name, rule) => {
    let weight = tensor('w0');
    let velocity = tf.zerosLike(weight);
    for (const [index, { lr, weight_decay: decay, momentum }] of steps.entries()) {
      const gradient = tensor(`grad${index + 1}`);
      ({ weight, velocity } = rule(weight, gradient, velocity, hyperOf(lr, decay, momentum)));
      for (const [what, found] of [
        ['w', weight],
        ['v', velocity],
      ] as const) {
        const key = `${name}/${what}${index + 1}`;
        expectClose(key, { shape: found.shape, data: found.dataSync() }, stored(key), 1e-6);
      }
    }
    expect(steps).toHaveLength(4);
  });
});
