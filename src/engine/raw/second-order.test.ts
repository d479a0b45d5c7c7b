import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { batchNormTraining } from './batch-norm';
import { relu } from './relu';
import { registerSecondDerivatives } from './second-order';

type Objective = (...args: tf.Tensor[]) => tf.Tensor;

beforeAll(() => {
  registerSecondDerivatives();
});

let seed = 0;
function normal(shape: number[]): tf.Tensor {
  return tf.randomNormal(shape, 0.2, 1, 'float32', ++seed);
}

/** The product of the Hessian of a scalar function and a direction, one part for each argument. */
function hessianVector(f: Objective, at: tf.Tensor[], direction: tf.Tensor[]): tf.Tensor[] {
  return tf.grads((...inner) => {
    const first = tf.grads(f)(inner);
    return tf.addN(first.map((gradient, i) => gradient.mul(direction[i]).sum()));
  })(at);
}

/** Compares the second derivatives of a function written with a kernel and with operations that TF.js differentiates twice. */
function expectSameHessian(kernel: Objective, plain: Objective, shapes: readonly number[][]): void {
  const at = shapes.map(normal);
  const direction = shapes.map(normal);
  const ours = hessianVector(kernel, at, direction);
  const theirs = hessianVector(plain, at, direction);
  for (const [i, part] of ours.entries()) {
    expect(part.shape).toEqual(theirs[i].shape);
    const scale = theirs[i].abs().max().dataSync()[0];
    expect(scale).toBeGreaterThan(0.01);
    expect(part.sub(theirs[i]).abs().max().dataSync()[0] / scale).toBeLessThan(1e-4);
  }
}

/** A nonlinear function of any tensor, so that no second derivative is zero. */
function bend(y: tf.Tensor): tf.Tensor {
  const weights = tf.linspace(-1, 1.5, y.size).reshape(y.shape);
  return y.mul(weights).tanh().mul(y).sum();
}

/** A convolution as one matrix product over patches. */
function plainConv(x: tf.Tensor4D, w: tf.Tensor4D, stride: number, padding: number): tf.Tensor4D {
  const [kh, kw, cin, cout] = w.shape;
  const padded = tf.pad(x, [
    [0, 0],
    [padding, padding],
    [padding, padding],
    [0, 0],
  ]);
  const [n, height, width] = padded.shape;
  const [rows, columns] = [height, width].map((side, i) =>
    Math.floor((side - [kh, kw][i]) / stride + 1),
  );
  const pick = (start: number, count: number, side: number): tf.Tensor2D => {
    const at = Array.from({ length: count }, (_, i) => start + stride * i);
    return tf.oneHot(tf.tensor1d(at, 'int32'), side).cast<tf.Tensor2D>('float32');
  };
  const views: tf.Tensor4D[] = [];
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const down = tf.matMul(
        pick(i, rows, height),
        padded.transpose([1, 0, 2, 3]).reshape([height, -1]),
      );
      const across = tf.matMul(
        pick(j, columns, width),
        down.reshape([rows, n, width, cin]).transpose([2, 0, 1, 3]).reshape([width, -1]),
      );
      views.push(across.reshape([columns, rows, n, cin]).transpose([2, 1, 0, 3]));
    }
  }
  const patches = tf.concat(views, 3).reshape([n * rows * columns, kh * kw * cin]);
  return tf.matMul(patches, w.reshape([-1, cout])).reshape([n, rows, columns, cout]);
}

describe('second derivatives', () => {
  test.each([
    ['3x3 same', 3, 1, 'same', 1],
    ['3x3 valid', 3, 1, 'valid', 0],
    ['3x3 stride 2', 3, 2, 'valid', 0],
    ['1x1 stride 2', 1, 2, 'valid', 0],
  ] as const)('conv2d %s', (_name, size, stride, pad, padding) => {
    expectSameHessian(
      (x, w) => bend(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad)),
      (x, w) => bend(plainConv(x as tf.Tensor4D, w as tf.Tensor4D, stride, padding)),
      [
        [2, 7, 7, 3],
        [size, size, 3, 4],
      ],
    );
  });

  test('max pooling x=[2,4,6,3] size=2: matches a sum over the largest elements', () => {
    const offset = normal([2, 4, 6, 3]).mul(3);
    const shifted = (x: tf.Tensor): tf.Tensor4D => x.square().mul(0.1).add<tf.Tensor4D>(offset);
    let mask: tf.Tensor = tf.scalar(0);
    const largestOf = (values: tf.Tensor4D): tf.Tensor => {
      const pooled = tf.maxPool(values, 2, 2, 'valid');
      const windows = values.reshape([2, 2, 2, 3, 2, 3]);
      return windows.equal(pooled.reshape([2, 2, 1, 3, 1, 3])).cast('float32');
    };
    expectSameHessian(
      (x) => {
        mask = tf.keep(tf.tensor(largestOf(shifted(x)).dataSync(), [2, 2, 2, 3, 2, 3]));
        return bend(tf.maxPool(shifted(x), 2, 2, 'valid'));
      },
      (x) => bend(shifted(x).reshape([2, 2, 2, 3, 2, 3]).mul(mask).sum([2, 4])),
      [[2, 4, 6, 3]],
    );
  });

  test('average pooling x=[2,4,8,3] size=4', () => {
    expectSameHessian(
      (x) => bend(tf.avgPool(x as tf.Tensor4D, 4, 4, 'valid')),
      (x) => bend(x.reshape([2, 1, 4, 2, 4, 3]).mean([2, 4])),
      [[2, 4, 8, 3]],
    );
  });

  test('operations that keep their output: exp, tanh, sigmoid, softplus', () => {
    const at = [-1.5, -0.2, 0.3, 2];
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    const cases: readonly (readonly [(x: tf.Tensor) => tf.Tensor, (x: number) => number])[] = [
      [tf.exp, Math.exp],
      [tf.tanh, (x) => -2 * Math.tanh(x) * (1 - Math.tanh(x) ** 2)],
      [tf.sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x)) * (1 - 2 * sigmoid(x))],
      [tf.softplus, (x) => sigmoid(x) * (1 - sigmoid(x))],
      [tf.elu, (x) => (x < 0 ? Math.exp(x) : 0)],
    ];
    for (const [op, second] of cases) {
      const x = tf.tensor1d(at);
      const [found] = hessianVector((t) => op(t).sum(), [x], [tf.onesLike(x)]);
      for (const [i, value] of found.dataSync().entries()) {
        expect(value).toBeCloseTo(second(at[i]), 5);
      }
    }
  });

  test('log softmax: minus the covariance of the one-hot class', () => {
    const x = tf.tensor2d([[0.3, -1, 0.8, 0.1]]);
    const p = [...tf.softmax(x).dataSync()];
    for (const k of p.keys()) {
      const direction = tf.oneHot(tf.tensor1d([k], 'int32'), 4).cast('float32');
      const first = (t: tf.Tensor): tf.Tensor =>
        tf
          .logSoftmax(t as tf.Tensor2D)
          .slice([0, 2], [1, 1])
          .sum();
      const [row] = hessianVector(first, [x], [direction]);
      for (const [j, value] of row.dataSync().entries()) {
        expect(value).toBeCloseTo(p[j] * p[k] - (j === k ? p[k] : 0), 5);
      }
    }
  });

  test('the first derivative and the number of tensors are unchanged', () => {
    const x = tf.tensor1d([-1, 2]);
    const before = tf.memory().numTensors;
    const first = tf.grad((t) => tf.tanh(t).mul(tf.exp(t)).sum())(x);
    const [a, b] = first.dataSync();
    const slope = (v: number): number => Math.exp(v) * (1 - Math.tanh(v) ** 2 + Math.tanh(v));
    expect(a).toBeCloseTo(slope(-1), 5);
    expect(b).toBeCloseTo(slope(2), 4);
    expect(tf.memory().numTensors).toBe(before + 1);
  });

  test('elu', () => {
    expectSameHessian(
      (x) => bend(tf.elu(x)),
      (x) => bend(relu(x).add(relu(x.neg()).neg().exp()).sub(1)),
      [[40]],
    );
  });

  test('batch norm in training x=[4,3,2,5]: x, scale and bias', () => {
    const normalised = (x: tf.Tensor): tf.Tensor => {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      return x.sub(mean).div(variance.add(1e-2).sqrt());
    };
    expectSameHessian(
      (x, scale, bias) =>
        bend(
          batchNormTraining(x as tf.Tensor4D, scale as tf.Tensor1D, bias as tf.Tensor1D, 1e-2)
            .output,
        ),
      (x, scale, bias) => bend(normalised(x).mul(scale).add(bias)),
      [[4, 3, 2, 5], [5], [5]],
    );
  });

  test('batch norm whose scale and bias are constants', () => {
    const [scale, bias] = [normal([5]), normal([5])] as tf.Tensor1D[];
    const normalised = (x: tf.Tensor): tf.Tensor => {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      return x.sub(mean).div(variance.add(1e-5).sqrt());
    };
    expectSameHessian(
      (x) => bend(batchNormTraining(x as tf.Tensor4D, scale, bias, 1e-5).output),
      (x) => bend(normalised(x).mul(scale).add(bias)),
      [[4, 3, 2, 5]],
    );
  });
});
