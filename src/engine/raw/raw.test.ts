import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTensorflow } from '../tensorflow';
import { batchNormTraining } from './batch-norm';
import { relu } from './relu';

beforeAll(() => {
  loadTensorflow();
});

/** Batch norm in plain TF.js operations, with the gradient that TF.js derives. */
function plainBatchNorm(x: tf.Tensor4D, scale: tf.Tensor1D, bias: tf.Tensor1D): tf.Tensor4D {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return x.sub(mean).div(variance.add(1e-5).sqrt()).mul(scale).add(bias);
}

function largestDifference(a: tf.Tensor, b: tf.Tensor): number {
  return tf.tidy(() => a.sub(b).abs().max().div(b.abs().max()).dataSync()[0]);
}

describe('raw kernels', () => {
  test('batchNormTraining x=[4,3,3,5]: value, statistics and three gradients', () => {
    const x = tf.randomNormal<tf.Rank.R4>([4, 3, 3, 5], 0.3, 2, 'float32', 1);
    const scale = tf.randomUniform<tf.Rank.R1>([5], 0.5, 2, 'float32', 2);
    const bias = tf.randomNormal<tf.Rank.R1>([5], 0, 1, 'float32', 3);
    const weight = tf.randomNormal([4, 3, 3, 5], 0, 1, 'float32', 4);
    const { output, mean, variance } = batchNormTraining(x, scale, bias, 1e-5);
    expect(largestDifference(output, plainBatchNorm(x, scale, bias))).toBeLessThan(1e-5);
    const moments = tf.moments(x, [0, 1, 2]);
    expect(largestDifference(mean, moments.mean)).toBeLessThan(1e-5);
    expect(largestDifference(variance, moments.variance.mul(36 / 35))).toBeLessThan(1e-5);

    const fused = tf.grads((...args) => {
      const [a, b, c] = args as unknown as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
      return batchNormTraining(a, b, c, 1e-5).output.mul(weight).sum();
    })([x, scale, bias]);
    const plain = tf.grads((...args) => {
      const [a, b, c] = args as unknown as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D];
      return plainBatchNorm(a, b, c).mul(weight).sum();
    })([x, scale, bias]);
    for (const [index, gradient] of fused.entries()) {
      expect(largestDifference(gradient, plain[index])).toBeLessThan(1e-4);
    }
  });

  test.each([
    [[8, 8, 8, 4], 8, 2, 'same'],
    [[2, 7, 6, 4], 5, [2, 3], 'valid'],
    [[3, 5, 5, 16], 8, 3, 'same'],
  ] as const)(
    'gradients of conv2d of %j by a 1x1 kernel to %i, stride %j',
    (shape, co, stride, pad) => {
      const [down, across] = typeof stride === 'number' ? [stride, stride] : stride;
      const [n, h, w, ci] = shape;
      const x = tf.randomNormal<tf.Rank.R4>([n, h, w, ci], 0, 1, 'float32', 1);
      const kernel = tf.randomNormal<tf.Rank.R4>([1, 1, ci, co], 0, 1, 'float32', 2);
      const out = [n, Math.ceil(h / down), Math.ceil(w / across), co];
      const dy = tf.randomNormal(out, 0, 1, 'float32', 3);
      const every = (extent: number, step: number): tf.Tensor1D =>
        tf.range(0, extent, step, 'int32');
      const [dx, dk] = tf.grads((a, k) =>
        tf.conv2d(a as tf.Tensor4D, k as tf.Tensor4D, [down, across], pad),
      )([x, kernel], dy);
      const plain = tf.grads((a, k) =>
        tf
          .matMul(
            tf.gather(tf.gather(a, every(h, down), 1), every(w, across), 2).reshape([-1, ci]),
            k.reshape([ci, co]),
          )
          .reshape(out),
      )([x, kernel], dy);
      expect(largestDifference(dx, plain[0])).toBeLessThan(1e-5);
      expect(largestDifference(dk, plain[1])).toBeLessThan(1e-5);
    },
  );

  test('relu: value and gradient, zero at zero', () => {
    const x = tf.tensor1d([-2, -0.5, 0, 0.5, 3]);
    expect([...relu(x).dataSync()]).toEqual([0, 0, 0, 0.5, 3]);
    const gradient = tf.grad((t) =>
      relu(t)
        .mul(tf.tensor1d([1, 2, 3, 4, 5]))
        .sum(),
    )(x);
    expect([...gradient.dataSync()]).toEqual([0, 0, 0, 4, 5]);
  });

  test('relu: second derivative of relu(x)^2 / 2 is 1 where x > 0', () => {
    const x = tf.tensor1d([-2, 0.5, 3]);
    const first = (t: tf.Tensor): tf.Tensor => tf.grad((u) => relu(u).square().sum().div(2))(t);
    const second = tf.grad((t) => first(t).sum())(x);
    expect([...second.dataSync()]).toEqual([0, 1, 1]);
  });
});
