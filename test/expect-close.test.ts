import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compare, expectClose } from './expect-close';
import type { Numbers } from './expect-close';

const tensor = (shape: readonly number[], data: readonly number[]): Numbers => ({ shape, data });

describe('expectClose', () => {
  test('names the worst element, both values, the shape and the error', () => {
    const found = tensor([2, 3], [1, 2, 3, 4, -7.5, 6]);
    const expected = tensor([2, 3], [1, 2, 3.0001, 4, -8, 6]);
    expect(() => expectClose('layer1/conv', found, expected)).toThrow(
      'layer1/conv [2,3] at [1,1]: found -7.5, expected -8; off by 6.3e-2 of the largest element (8), allowed are 1e-4',
    );
  });

  test('measures relative to the largest element of the tensor, not to each element', () => {
    const expected = tensor([2], [1000, 0.001]);
    expect(expectClose('small', tensor([2], [1000, 0.002]), expected).error).toBeCloseTo(1e-6, 12);
    expect(() => expectClose('large', tensor([2], [1000.2, 0.001]), expected)).toThrow(/at \[0\]/);
  });

  test('measures a tensor of zeros relative to 1', () => {
    expect(compare(tensor([1], [1e-5]), tensor([1], [0])).error).toBe(1e-5);
  });

  test.each([
    [NaN, 1],
    [1, NaN],
    [NaN, Infinity],
    [Infinity, 1],
    [Infinity, -Infinity],
    [-1e300, -Infinity],
  ])('%d is not close to %d, whatever the bar', (found, expected) => {
    const [a, b] = [tensor([2], [5, found]), tensor([2], [5, expected])];
    expect(compare(a, b).error).toBe(Infinity);
    expect(() => expectClose('x', a, b, 1e9)).toThrow(/at \[1\]/);
  });

  test.each([NaN, Infinity, -Infinity])(
    '%d equals itself, and is not the scale of the rest',
    (value) => {
      expect(expectClose('x', tensor([2], [value, 2]), tensor([2], [value, 2])).error).toBe(0);
      expect(compare(tensor([2], [value, 3]), tensor([2], [value, 2])).error).toBe(0.5);
    },
  );

  test('shapes must be equal, not only counts', () => {
    expect(() =>
      compare(tensor([2, 3], [1, 2, 3, 4, 5, 6]), tensor([6], [1, 2, 3, 4, 5, 6])),
    ).toThrow(/\[2,3\].*\[6\]/);
    expect(() => compare(tensor([2], [1]), tensor([2], [1, 2]))).toThrow(/1 numbers/);
  });

  test('finds the place of one changed element in any shape', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.nat(),
        (shape, pick) => {
          const count = shape.reduce((a, b) => a * b, 1);
          const at = pick % count;
          const data = Array.from({ length: count }, (_, i) => i + 1);
          const { place } = compare(
            tensor(
              shape,
              data.map((x, i) => (i === at ? x + 0.5 : x)),
            ),
            tensor(shape, data),
          );
          const index = place.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
          expect(index).toBe(at);
        },
      ),
    );
  });
});
