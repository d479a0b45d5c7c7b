import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { OptimError } from '../base/errors';
import { filled } from '../base/host-tensor';
import { loadTensorflow } from '../engine/tensorflow';
import { initVelocity, updateParameters } from './optimiser';
import type { Optimiser } from './optimiser';

beforeAll(() => {
  loadTensorflow();
});

type Named = Readonly<Record<string, tf.Tensor>>;

const names = ['prep/conv/weight', 'prep/bn/weight', 'prep/bn/bias', 'linear/bias_free/weight'];

/** Updates every tensor from w 1, g 1, v 0 with lr 1/2, wd 1/4, momentum 0; the change is -lr (1 + wd) of its group. */
function moved(optimiser: Optimiser): Record<string, number> {
  const all = (make: () => tf.Tensor): Named =>
    Object.fromEntries(names.map((name) => [name, make()]));
  const ones = (): tf.Tensor => tf.ones([1, 1, 1, 1]);
  const { parameters, velocity } = updateParameters(
    optimiser,
    all(ones),
    all(ones),
    all(() => tf.zeros([1, 1, 1, 1])),
    { lr: tf.scalar(0.5), weightDecay: tf.scalar(0.25), momentum: tf.scalar(0) },
  );
  expect(Object.keys(parameters)).toEqual(names);
  expect(Object.keys(velocity)).toEqual(names);
  return Object.fromEntries(names.map((name) => [name, parameters[name].dataSync()[0] - 1]));
}

describe('groups', () => {
  test('without groups, all tensors are updated in the same way', () => {
    const steps = Object.values(moved({ rule: 'nesterov-b', groups: [] }));
    expect(steps).toEqual([-0.625, -0.625, -0.625, -0.625]);
  });

  test('a group applies its own factors to the paths that contain its text', () => {
    const groups = [{ includes: 'bias', lrFactor: 4, weightDecayFactor: 0.25 }];
    expect(moved({ rule: 'nesterov-b', groups })).toEqual({
      'prep/conv/weight': -0.625,
      'prep/bn/weight': -0.625,
      'prep/bn/bias': -2 * (1 + 0.0625),
      'linear/bias_free/weight': -2 * (1 + 0.0625),
    });
  });

  test('the first matching group counts, and an empty text matches all', () => {
    const groups = [
      { includes: 'bn/', lrFactor: 0, weightDecayFactor: 1 },
      { includes: 'bias', lrFactor: 2, weightDecayFactor: 0 },
      { includes: '', lrFactor: 1, weightDecayFactor: 0 },
    ];
    expect(moved({ rule: 'nesterov-a', groups })).toEqual({
      'prep/conv/weight': -0.5,
      'prep/bn/weight': 0,
      'prep/bn/bias': 0,
      'linear/bias_free/weight': -1,
    });
  });

  test('a group can have its own rule', () => {
    const groups = [
      { includes: 'bn', rule: 'nesterov-a', lrFactor: 1, weightDecayFactor: 1 },
    ] as const;
    const steps = moved({ rule: 'lars', groups });
    expect(steps['prep/bn/bias']).toBe(-0.625);
    // |w| / (|g| + 0.01) = 1 / 1.01
    expect(steps['prep/conv/weight']).toBeCloseTo(-0.625 / 1.01, 6);
  });
});

describe('updateParameters', () => {
  test('names the tensor that has no gradient or velocity, or that a rule refuses', () => {
    const hyper = { lr: tf.scalar(1), weightDecay: tf.scalar(0), momentum: tf.scalar(0.9) };
    const one = { 'a/bias': tf.ones([2]) };
    const update = (rule: Optimiser['rule'], gradients: Named, velocity: Named) => (): unknown =>
      updateParameters({ rule, groups: [] }, one, gradients, velocity, hyper);
    expect(update('nesterov-b', {}, one)).toThrow(/"a\/bias" has no gradient/);
    expect(update('nesterov-b', one, {})).toThrow(/"a\/bias" has no velocity/);
    expect(update('lars', one, one)).toThrow(OptimError);
    expect(update('lars', one, one)).toThrow(/^"a\/bias": lars: a tensor of shape \[2\]/);
  });
});

test('velocities start at zero, in the shape of their tensors', () => {
  expect(initVelocity({ a: filled([2, 1], 3), b: filled([], 4) })).toEqual({
    a: filled([2, 1], 0),
    b: filled([], 0),
  });
});
