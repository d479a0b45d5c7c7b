import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { orthonormalBasis, overlap, projectOut, shares } from './overlap';
import { addScaled, dot, norm, randomDirection, scaled } from './vector';

function directions(count: number, size: number, seed: number): Float32Array[] {
  const rng = createRng(seed, 'directions');
  return Array.from({ length: count }, () => randomDirection(size, rng));
}

describe('overlap', () => {
  test('a basis is orthonormal and spans its source vectors, even nearly parallel ones', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 8 }), (seed, count) => {
        const vectors = directions(count, 40, seed);
        const close = vectors[0].slice();
        addScaled(close, 1e-3, vectors[count - 1]);
        vectors.push(close, scaled(directions(1, 40, seed + 1)[0], 100));
        const basis = orthonormalBasis(vectors);
        for (const [i, a] of basis.entries()) {
          for (const [j, b] of basis.entries()) {
            const isZero = norm(a) === 0 || norm(b) === 0;
            expect(dot(a, b)).toBeCloseTo(i === j && !isZero ? 1 : 0, 5);
          }
        }
        for (const vector of vectors) {
          expect(overlap(basis, scaled(vector, 1 / norm(vector)))).toBeCloseTo(1, 4);
          expect(norm(projectOut(basis, vector)) / norm(vector)).toBeLessThan(1e-4);
        }
      }),
    );
  });

  test('has a zero vector in place of one that depends on others', () => {
    const [a, b] = directions(2, 30, 1);
    const sum = a.map((x, i) => x - 2 * b[i]);
    const [, , zero, last] = orthonormalBasis([a, b, sum, directions(1, 30, 2)[0]]);
    expect(norm(zero)).toBe(0);
    expect(norm(last)).toBeCloseTo(1, 5);
  });

  test('shares add up to the squared length; k of n dimensions hold about k / n of a random vector', () => {
    const [v, ...others] = directions(11, 2000, 3);
    const basis = orthonormalBasis(others);
    const rest = projectOut(basis, v);
    expect(overlap(basis, v) + dot(rest, rest)).toBeCloseTo(1, 5);
    expect(overlap(basis.slice(0, 4), v) + overlap(basis.slice(4), v)).toBeCloseTo(
      overlap(basis, v),
      6,
    );
    expect(overlap(basis, v)).toBeLessThan(5 * (10 / 2000));
  });
});

describe('shares', () => {
  test('of overlapping groups add up to the share of their union', () => {
    const [a, b, c, d] = directions(4, 30, 5);
    const both = a.slice();
    addScaled(both, 1, b);
    const groups = { first: [a, b], second: [both, c] };
    const [inFirst, between, outside] = shares(groups, [
      scaled(both, 1 / norm(both)),
      scaled(c, 1),
      projectOut(orthonormalBasis([a, b, c]), d),
    ]);
    // What the groups have in common counts for the first one.
    expect(inFirst.first).toBeCloseTo(1, 5);
    expect(inFirst.second).toBeCloseTo(0, 5);
    expect(between.first).toBeCloseTo(overlap(orthonormalBasis([a, b]), c), 6);
    expect(between.first + between.second).toBeCloseTo(1, 5);
    expect(outside.first + outside.second).toBeCloseTo(0, 5);
  });
});
