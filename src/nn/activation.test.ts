import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTensorflow } from '../engine/tensorflow';
import { erf } from '../../test/erf';
import {
  activationForward,
  activationKinds,
  celu,
  gelu,
  relu,
  shiftScaleRelu,
  silu,
  softplus,
} from './activation';
import type { ActivationLayer } from './activation';

beforeAll(() => {
  loadTensorflow();
});

const points = [-40, -3, -1, -0.3, -0.01, 0.02, 0.1, 0.24, 0.26, 1, 3, 40];

/** Density and distribution function of the standard normal. */
const density = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
const distribution = (x: number): number => (1 + erf(x / Math.SQRT2)) / 2;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

const formulas: readonly (readonly [
  ActivationLayer,
  (x: number) => number,
  (x: number) => number,
])[] = [
  [relu(), (x) => Math.max(0, x), (x) => (x > 0 ? 1 : 0)],
  [
    celu(0.3),
    (x) => Math.max(0, x) + Math.min(0, 0.3 * (Math.exp(x / 0.3) - 1)),
    (x) => (x > 0 ? 1 : Math.exp(x / 0.3)),
  ],
  [
    softplus({ beta: 10, threshold: 2.5 }),
    (x) => (10 * x > 2.5 ? x : Math.log1p(Math.exp(10 * x)) / 10),
    (x) => (10 * x > 2.5 ? 1 : 1 / (1 + Math.exp(-10 * x))),
  ],
  [
    softplus(),
    (x) => (x > 20 ? x : Math.log1p(Math.exp(x))),
    (x) => (x > 20 ? 1 : 1 / (1 + Math.exp(-x))),
  ],
  [
    shiftScaleRelu(),
    (x) => (Math.max(0, x) - Math.sqrt(1 / Math.PI)) / Math.sqrt(1 - 1 / Math.PI),
    (x) => (x > 0 ? 1 / Math.sqrt(1 - 1 / Math.PI) : 0),
  ],
  [gelu(), (x) => x * distribution(x), (x) => distribution(x) + x * density(x)],
  [silu(), (x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x)))],
];

describe('activations', () => {
  test.each(formulas)('%j: value and derivative', (layer, value, derivative) => {
    const x = tf.tensor1d(points);
    const y = activationForward(layer, x).dataSync();
    const dy = tf
      .grad((t) => activationForward(layer, t).sum())(x)
      .dataSync();
    for (const [i, at] of points.entries()) {
      expect(y[i]).toBeCloseTo(value(at), 5);
      expect(dy[i]).toBeCloseTo(derivative(at), 5);
    }
  });

  test('gelu and silu at 1 match published tables of the normal and logistic distributions', () => {
    const at = (layer: ActivationLayer): number =>
      activationForward(layer, tf.tensor1d([1])).dataSync()[0];
    expect(at(gelu())).toBeCloseTo(0.8413447, 6);
    expect(at(silu())).toBeCloseTo(0.7310586, 6);
  });

  test('the list of kinds is complete', () => {
    expect(formulas.map(([{ kind }]) => kind)).toEqual(
      expect.arrayContaining([...activationKinds]),
    );
  });

  test('shift-scale-relu maps Gaussian inputs of variance 2 to mean 0 and variance 1', () => {
    const x = tf.randomNormal([200_000], 0, Math.SQRT2, 'float32', 7);
    const { mean, variance } = tf.moments(activationForward(shiftScaleRelu(), x));
    expect(mean.dataSync()[0]).toBeCloseTo(0, 2);
    expect(variance.dataSync()[0]).toBeCloseTo(1, 1);
  });
});
