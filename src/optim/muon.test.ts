import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import type { Numbers } from '../../test/expect-close';
import { OptimError } from '../base/errors';
import { createRng } from '../base/rng';
import { createSession } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { muon, newtonSchulz, rescaleSteps } from './muon';
import type { MuonOptions } from './muon';

beforeAll(() => {
  loadTensorflow();
});

const published: MuonOptions = {
  iterations: 3,
  coefficients: [3.4445, -4.775, 2.0315],
  rescale: 'every-step',
};

const host = (t: tf.Tensor): Numbers => ({ shape: t.shape, data: t.dataSync() });
const numbers = (m: Matrix): Numbers => ({ shape: [m.rows, m.columns], data: m.to1DArray() });

function draw(rows: number, columns: number, seed: number): Matrix {
  const values = createRng(seed).fillUniform(new Float32Array(rows * columns), -1, 1);
  return Matrix.from1DArray(rows, columns, values);
}

const onDevice = (m: Matrix): tf.Tensor2D => tf.tensor2d(m.to1DArray(), [m.rows, m.columns]);

/** The published formula for a wide matrix G, in float64: X = G / (|G| + 1e-7); X <- a X + (b A + c A^2) X, A = X X^T. */
function orthogonalised(
  g: Matrix,
  { iterations, coefficients: [a, b, c] }: Pick<MuonOptions, 'iterations' | 'coefficients'>,
): Matrix {
  let x = Matrix.div(g, g.norm('frobenius') + 1e-7);
  for (let i = 0; i < iterations; i++) {
    const gram = x.mmul(x.transpose());
    const polynomial = Matrix.add(Matrix.mul(gram, b), Matrix.mul(gram.mmul(gram), c));
    x = Matrix.add(Matrix.mul(x, a), polynomial.mmul(x));
  }
  return x;
}

describe('newtonSchulz', () => {
  test('equals the published formula in float64 for any tall matrix', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 7 }),
        fc.nat(),
        (columns, more, iterations, seed) => {
          const g = draw(columns + more, columns, seed);
          const options = { ...published, iterations };
          tf.tidy(() => {
            const found = newtonSchulz(onDevice(g), options);
            const expected = orthogonalised(g.transpose(), options).transpose();
            expectClose('orthogonal', host(found), numbers(expected));
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each([
    ['airbench94', [3.4445, -4.775, 2.0315], 0.68, 1.21],
    ['hiverge', [3.4576, -4.7391, 2.0843], 0.75, 1.37],
  ] as const)(
    'with the coefficients of %s brings singular values from 0.02 to 1 into their band',
    (_, coefficients, least, most) => {
      // Orthogonal factors of random matrices, and chosen singular values from small to large.
      const factor = (size: number, seed: number): Matrix =>
        new SingularValueDecomposition(draw(size, size, seed)).leftSingularVectors;
      const values = [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
      const rest = Math.sqrt(1 - values.reduce((sum, s) => sum + s * s, 0));
      expect(rest).toBeGreaterThan(0);
      const all = [...values, rest];
      const u = factor(30, 1).subMatrix(0, 29, 0, all.length - 1);
      const g = u.mmul(Matrix.diag(all)).mmul(factor(all.length, 2).transpose());
      tf.tidy(() => {
        const found = newtonSchulz(onDevice(g), { iterations: 3, coefficients });
        const matrix = Matrix.from1DArray(30, all.length, found.dataSync());
        const singular = new SingularValueDecomposition(matrix).diagonal;
        expect(Math.min(...singular)).toBeGreaterThan(least);
        expect(Math.max(...singular)).toBeLessThan(most);
        // The singular vectors do not change: u^T result v is diagonal.
        const [a, b, c] = coefficients;
        const mapped = all.map((s) => [1, 2, 3].reduce((x) => a * x + b * x ** 3 + c * x ** 5, s));
        const diagonal = u.transpose().mmul(matrix).mmul(factor(all.length, 2));
        expectClose('diagonal', numbers(diagonal), numbers(Matrix.diag(mapped)));
      });
    },
  );

  test('does not depend on the norm of the matrix, and keeps zeros', () => {
    tf.tidy(() => {
      const g = onDevice(draw(12, 5, 3));
      const [small, large] = [1e-3, 1e3].map((factor) =>
        host(newtonSchulz(g.mul(factor), published)),
      );
      expectClose('scaled', large, small, 1e-3);
      const zeros = newtonSchulz(tf.zeros([4, 3]), published).dataSync();
      expect([...zeros]).toEqual(Array.from({ length: 12 }, () => 0));
    });
  });

  test.each([3, 5])(
    'in bf16, %i iterations of a matrix with small singular values',
    async (iterations) => {
      // Singular values from 1 down to 0.001, with random singular vectors.
      const vectors = (size: number, seed: number): Matrix =>
        new SingularValueDecomposition(draw(size, size, seed)).leftSingularVectors;
      const columns = 40;
      const values = Array.from({ length: columns }, (_, i) => 1000 ** (-i / (columns - 1)));
      const g = vectors(120, 1)
        .subMatrix(0, 119, 0, columns - 1)
        .mmul(Matrix.diag(values))
        .mmul(vectors(columns, 2).transpose());
      const options = { ...published, iterations };
      const x = { shape: [120, columns], data: Float32Array.from(g.to1DArray()) };
      const session = createSession({ y: x }, { precision: 'bf16' });
      try {
        const run = session.capture(
          'orthogonalise',
          (_, feeds) => ({ state: { y: newtonSchulz(feeds.x as tf.Tensor2D, options) } }),
          { x },
        );
        await run({ x });
        const { y } = await session.read('y');
        const expected = orthogonalised(g.transpose(), options).transpose();
        const error = Matrix.sub(Matrix.from1DArray(120, columns, y.data), expected);
        expect(error.norm('frobenius') / expected.norm('frobenius')).toBeLessThan(0.15);
      } finally {
        session.dispose();
      }
    },
  );

  test('refuses a wide matrix', () => {
    expect(() => newtonSchulz(tf.zeros([3, 4]), published)).toThrow(OptimError);
    expect(() => newtonSchulz(tf.zeros([3, 4]), published)).toThrow(/\[3,4\].*Transpose it/);
  });
});

describe('muon', () => {
  const shape = [3, 3, 2, 4];
  const hyper = { lr: 0.24, weightDecay: 0.3, momentum: 0.6 };

  /** Three steps in float64: kernels as matrices [kh kw cin, cout], whose transpose G is the published [cout, cin kh kw]. */
  function plainly(options: MuonOptions, rescales: readonly boolean[]): Matrix[] {
    let weight = draw(18, 4, 1);
    let velocity = Matrix.zeros(18, 4);
    return rescales.flatMap((isRescaled, step) => {
      const gradient = draw(18, 4, 10 + step);
      velocity = Matrix.add(Matrix.mul(velocity, hyper.momentum), gradient);
      const direction = Matrix.add(gradient, Matrix.mul(velocity, hyper.momentum));
      const update = orthogonalised(direction.transpose(), options).transpose();
      if (isRescaled) weight = Matrix.mul(weight, Math.sqrt(4) / weight.norm('frobenius'));
      const moved = Matrix.sub(weight, Matrix.mul(update, hyper.lr));
      weight = Matrix.mul(moved, 1 - hyper.lr * hyper.weightDecay);
      return [weight, velocity];
    });
  }

  function found(options: MuonOptions, flags: readonly (number | undefined)[]): Numbers[] {
    const tensor = (m: Matrix): tf.Tensor => onDevice(m).reshape(shape);
    let weight = tensor(draw(18, 4, 1));
    let velocity = tf.zerosLike(weight);
    return flags.flatMap((rescale, step) => {
      const gradient = tensor(draw(18, 4, 10 + step));
      const fed = {
        lr: tf.scalar(hyper.lr),
        weightDecay: tf.scalar(hyper.weightDecay),
        momentum: tf.scalar(hyper.momentum),
        ...(rescale === undefined ? {} : { rescale: tf.scalar(rescale) }),
      };
      ({ weight, velocity } = muon(weight, gradient, velocity, fed, options));
      return [weight, velocity].map((t) => host(t.reshape([18, 4])));
    });
  }

  test.each([
    ['in every step', 'every-step', [undefined, undefined, undefined], [true, true, true]],
    ['in the steps that are fed', { first: 2, growth: 0 }, [0, 1, 0], [false, true, false]],
  ] as const)('rescales %s and equals plain float64 steps', (_, rescale, flags, rescales) => {
    const options = { ...published, rescale };
    const expected = plainly(options, rescales).map(numbers);
    for (const [index, value] of found(options, flags).entries()) {
      expectClose(`value ${index}`, value, expected[index]);
    }
    expect(expected).toHaveLength(6);
  });

  test('neither changes nor disposes its arguments', () => {
    const given = [1, 2, 3].map((value) => tf.ones([1, 1, 3, 2]).mul(value));
    const one = tf.scalar(1);
    muon(given[0], given[1], given[2], { lr: one, weightDecay: one, momentum: one }, published);
    expect(given.map((tensor) => new Set(tensor.dataSync()))).toEqual(
      [1, 2, 3].map((value) => new Set([value])),
    );
  });

  test('refuses biases, and kernels with more output channels than inputs to each of them', () => {
    const one = tf.scalar(1);
    const move = (weight: tf.Tensor) => (): unknown =>
      muon(weight, weight, weight, { lr: one, weightDecay: one, momentum: one }, published);
    expect(move(tf.ones([4]))).toThrow(/expected a kernel or a matrix, got rank 1/);
    expect(move(tf.ones([1, 1, 2, 4]))).toThrow(/\[2,4\]; it must have at least as many rows/);
  });
});

describe('rescaleSteps', () => {
  test('every step, or at intervals of first + floor(growth * progress) steps', () => {
    expect([...rescaleSteps('every-step', 3)]).toEqual([1, 1, 1]);
    expect([...rescaleSteps({ first: 3, growth: 0 }, 7)]).toEqual([0, 0, 1, 0, 0, 1, 0]);
    // Progress 0.2: 2 steps after the start; 0.5: 2 + 1 later would be step 5; 0.9: 2 + 2 after that, step 9.
    expect([...rescaleSteps({ first: 2, growth: 3 }, 10)]).toEqual([0, 1, 0, 0, 1, 0, 0, 0, 1, 0]);
    expect([...rescaleSteps({ first: 2, growth: 15 }, 0)]).toEqual([]);
  });

  test.each([
    [0, 1],
    [1, -1],
    [NaN, 1],
  ])('refuses first %d, growth %d', (first, growth) => {
    expect(() => rescaleSteps({ first, growth }, 5)).toThrow(OptimError);
    expect(() => rescaleSteps({ first, growth }, 5)).toThrow(`first ${first}, growth ${growth}`);
  });
});
