import * as fc from 'fast-check';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { lanczos } from './lanczos';
import type { Product } from './lanczos';
import { orthonormalBasis, overlap, projectOut } from './overlap';
import { dot, norm, randomDirection } from './vector';

/** A symmetric matrix with a given spectrum and random axes (by Householder reflections). */
function turned(spectrum: readonly number[], seed: number): Product {
  const size = spectrum.length;
  const rng = createRng(seed, 'axes');
  const mirrors = Array.from({ length: 6 }, () =>
    Float64Array.from(randomDirection(size, rng)),
  ).map((v) => v.map((x) => x / Math.hypot(...v)));
  const reflect = (x: Float64Array, v: Float64Array): Float64Array => {
    const along = v.reduce((sum, vi, i) => sum + vi * x[i], 0);
    return x.map((xi, i) => xi - 2 * along * v[i]);
  };
  return (x) => {
    let y = mirrors.reduce(reflect, Float64Array.from(x));
    y = y.map((yi, i) => spectrum[i] * yi);
    return Float32Array.from(mirrors.reduceRight(reflect, y));
  };
}

function largest(spectrum: readonly number[], count: number): number[] {
  const sorted = [...spectrum];
  sorted.sort((a, b) => Math.abs(b) - Math.abs(a));
  const top = sorted.slice(0, count);
  top.sort((a, b) => b - a);
  return top;
}

function expectPairs(
  found: Awaited<ReturnType<typeof lanczos>>,
  product: Product,
  spectrum: readonly number[],
  relative: number,
): void {
  const expected = largest(spectrum, found.values.length);
  const scale = Math.max(...expected.map(Math.abs));
  for (const [i, value] of found.values.entries()) {
    expect(Math.abs(value - expected[i]) / scale).toBeLessThan(relative);
    const vector = found.vectors[i];
    const image = product(vector) as Float32Array;
    expect(norm(image.map((x, j) => x - value * vector[j])) / scale).toBeLessThan(
      10 * relative + 2e-6,
    );
    for (const [j, other] of found.vectors.entries()) {
      expect(dot(vector, other)).toBeCloseTo(i === j ? 1 : 0, 5);
    }
  }
}

describe('lanczos', () => {
  test('finds outliers of both signs in a spectrum like that of a Hessian', async () => {
    const rng = createRng(1, 'bulk');
    const spectrum = [
      220,
      190,
      150,
      120,
      95,
      60,
      -58,
      40,
      22,
      17,
      ...Array.from({ length: 990 }, () => 3 * rng.normal()),
    ];
    const product = turned(spectrum, 2);
    let products = 0;
    const found = await lanczos(product, 1000, { count: 10, onProduct: (n) => (products = n) });
    expect(found.isConverged).toBe(true);
    expectPairs(found, product, spectrum, 1e-4);
    expect(found.products).toBe(products);
    expect(products).toBeLessThan(50);
  });

  test('restarts until clustered eigenvalues are separated', async () => {
    const spectrum = Array.from({ length: 300 }, (_, i) =>
      i < 12 ? 10 - 0.01 * i : 9 * (1 - i / 300),
    );
    const product = turned(spectrum, 3);
    const found = await lanczos(product, 300, { count: 12, tolerance: 1e-5, maxProducts: 3000 });
    expect(found.isConverged).toBe(true);
    expect(found.products).toBeGreaterThan(25);
    expectPairs(found, product, spectrum, 1e-5);
  });

  test('finds every copy of a multiple eigenvalue once its basis closes', async () => {
    const spectrum = [7, 7, 7, -5, -5, ...Array.from({ length: 20 }, () => 1)];
    const product = turned(spectrum, 4);
    const found = await lanczos(product, 25, { count: 6, basisSize: 25 });
    expectPairs(found, product, spectrum, 1e-5);
  });

  test('terminates for a matrix of low rank, a multiple of the identity, and zero', async () => {
    for (const spectrum of [
      [9, -8, 4, ...Array.from({ length: 97 }, () => 0)],
      Array.from({ length: 40 }, () => 3),
      Array.from({ length: 40 }, () => 0),
    ]) {
      const product = turned(spectrum, 5);
      const found = await lanczos(product, spectrum.length, { count: 5 });
      expect(found.isConverged).toBe(true);
      expect(found.products).toBeLessThan(20);
      for (const [i, value] of found.values.entries()) {
        expect(value).toBeCloseTo(largest(spectrum, 5)[i], 4);
      }
    }
  });

  test('equals a dense solver on any small symmetric matrix', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 3, max: 30 }), async (seed, size) => {
        const rng = createRng(seed, 'matrix');
        const half = Matrix.zeros(size, size);
        for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) half.set(i, j, rng.normal());
        const matrix = Matrix.add(half, half.transpose());
        const product: Product = (x) =>
          Float32Array.from(matrix.mmul(Matrix.columnVector([...x])).getColumn(0));
        const count = 1 + (Math.abs(seed) % 3);
        const found = await lanczos(product, size, { count, tolerance: 1e-6 });
        const { realEigenvalues } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
        expect(found.isConverged).toBe(true);
        expectPairs(found, product, realEigenvalues, 1e-5);
      }),
      { numRuns: 40 },
    );
  });

  test('finds the spectrum of P A P on the complement of some vectors', async () => {
    const spectrum = Array.from({ length: 120 }, (_, i) => (i < 8 ? 50 - 3 * i : i / 60));
    const product = turned(spectrum, 6);
    const first = await lanczos(product, 120, { count: 5, tolerance: 1e-6 });
    const away = orthonormalBasis([
      ...first.vectors.slice(0, 3),
      randomDirection(120, createRng(9)),
    ]);
    const options = { count: 5, tolerance: 1e-6 };
    const found = await lanczos(product, 120, { ...options, complementOf: away });
    const projected: Product = (x) =>
      projectOut(away, product(projectOut(away, x)) as Float32Array);
    const same = await lanczos(projected, 120, options);
    for (const [i, value] of found.values.entries()) {
      expect(value).toBeCloseTo(same.values[i], 3);
      expect(overlap(away, found.vectors[i])).toBeLessThan(1e-8);
    }
    expect(found.values[0]).toBeLessThan(41.001);
    expect(found.values[0]).toBeGreaterThan(38);
  });

  test('returns unconverged pairs when it runs out of products', async () => {
    const spectrum = Array.from({ length: 400 }, (_, i) => 1 + i / 4000);
    const found = await lanczos(turned(spectrum, 7), 400, { count: 4, maxProducts: 12 });
    expect(found.isConverged).toBe(false);
    expect(found.products).toBe(12);
    expect(found.values.length).toBe(4);
    expect(Math.max(...found.residuals)).toBeGreaterThan(1e-4);
  });

  test('refuses counts that do not fit', async () => {
    const product: Product = (x) => x.slice();
    await expect(lanczos(product, 5, { count: 6 })).rejects.toThrow(/6 eigenpairs.*5 dimensions/);
    await expect(lanczos(product, 50, { count: 6, basisSize: 6 })).rejects.toThrow(RangeError);
    await expect(lanczos(product, 5, { count: 0 })).rejects.toThrow(RangeError);
  });
});
