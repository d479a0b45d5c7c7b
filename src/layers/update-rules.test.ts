import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { optimiserCases } from '../../test/layers/cases.mjs';
import { OptimError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import type { OptimizerInternals } from './internals';
import { learningRateOf, ruleOf } from './optimiser-state';
import { updateRule, withWeightDecay } from './update-rules';
import type { Tensors } from './update-rules';

beforeAll(() => {
  loadTensorflow();
});

const start = [0.5, -1.5, 2, -0.001, 0];
/** Gradients of five steps; none is small enough to make TF.js's centered RMSProp return NaN. */
const gradients = [0, 1, 2, 3, 4].map((step) =>
  start.map((_, index) => Math.sin(1 + step * 5 + index) * 10 ** (index - 2)),
);

describe('updateRule', () => {
  test.each(optimiserCases)('%s takes the same steps as TF.js', async (_name, make) => {
    const variable = tf.variable(tf.tensor1d(start), true);
    const optimizer = make();
    const internals = optimizer as unknown as OptimizerInternals;
    const rule = ruleOf(internals);
    const lr = tf.scalar(learningRateOf(internals));
    let weight: tf.Tensor = tf.tensor1d(start);
    let slots: Tensors = Object.fromEntries(
      rule.slots.map(({ member, initial }) => [member, tf.mul(tf.ones([start.length]), initial)]),
    );
    let counters: Tensors = Object.fromEntries(
      rule.counters.map(({ member, initial }) => [member, tf.scalar(initial)]),
    );
    for (const numbers of gradients) {
      const gradient = tf.tensor1d(numbers);
      optimizer.applyGradients({ [variable.name]: gradient });
      const update = rule.update(weight, gradient, slots, counters, lr);
      ({ weight, slots } = update);
      counters = { ...counters, ...rule.advance(counters) };
    }
    const [expected, found] = await Promise.all([variable.data(), weight.data()]);
    for (const [index, value] of expected.entries()) {
      expect(Math.abs(found[index] - value)).toBeLessThanOrEqual(
        1e-6 * Math.max(1, Math.abs(value)),
      );
    }
    expect(
      Math.max(...start.map((value, index) => Math.abs(value - expected[index]))),
    ).toBeGreaterThan(1e-3);
  });

  test('rejects an unknown optimiser by name and lists the known ones', () => {
    expect(() => updateRule('Lion', {})).toThrow(OptimError);
    expect(() => updateRule('Lion', {})).toThrow(/"Lion" is unknown; known: SGD, Momentum/);
  });
});

test('withWeightDecay shrinks the weight in addition to the Adam step, as AdamW does', () => {
  const [lr, decay, beta1, beta2, epsilon] = [0.1, 0.05, 0.9, 0.999, 1e-7];
  const rule = withWeightDecay(updateRule('Adam', { beta1, beta2, epsilon }), decay);
  const [weight, gradient] = [2, 0.25];
  const update = rule.update(
    tf.scalar(weight),
    tf.scalar(gradient),
    { accumulatedFirstMoment: tf.scalar(0), accumulatedSecondMoment: tf.scalar(0) },
    { accBeta1: tf.scalar(beta1), accBeta2: tf.scalar(beta2) },
    tf.scalar(lr),
  );
  // The first step of Adam is the sign of the gradient.
  const expected = weight - lr * decay * weight - lr * (gradient / (gradient + epsilon));
  expect(update.weight.dataSync()[0]).toBeCloseTo(expected, 5);
});
