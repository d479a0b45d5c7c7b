import { describe, expect, test } from 'vitest';
import { LayerError } from '../base/errors';
import { createRng } from '../base/rng';
import { singularValues } from './singular-values';
import { norm } from './vector';

describe('singularValues', () => {
  test('are recovered from a matrix with known ones', () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    // A rotation times diag(3, 0.5) times a reflection, and a row of zeros.
    const data = Float32Array.of(c * 3, s * 0.5, s * 3, -c * 0.5, 0, 0);
    const [first, second, ...rest] = singularValues({ shape: [3, 2], data });
    expect([first, second, rest.length]).toEqual([expect.closeTo(3, 5), expect.closeTo(0.5, 5), 0]);
  });

  test('are those of the transposed matrix, and their squares add up to the squared norm', () => {
    const rng = createRng(1);
    const data = Float32Array.from({ length: 35 }, () => rng.normal());
    const turned = Float32Array.from(
      { length: 35 },
      (_, i) => data[(i % 5) * 7 + Math.floor(i / 5)],
    );
    const [wide, tall] = [
      singularValues({ shape: [5, 7], data }),
      singularValues({ shape: [7, 5], data: turned }),
    ];
    expect(wide).toHaveLength(5);
    for (const [i, value] of wide.entries()) expect(tall[i]).toBeCloseTo(value, 9);
    const squares = wide.reduce((sum, value) => sum + value ** 2, 0);
    expect(squares).toBeCloseTo(norm(data) ** 2, 4);
    expect([...wide]).toEqual([...wide].toSorted((a, b) => b - a));
  });

  test('refuse a tensor that is not a matrix', () => {
    const data = new Float32Array(8);
    expect(() => singularValues({ shape: [2, 2, 2], data })).toThrow(LayerError);
  });
});
