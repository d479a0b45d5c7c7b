import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fixed } from './fixed';

describe('fixed', () => {
  test.each([
    [94.125, 2, '94.12'],
    [94.375, 2, '94.38'],
    [-94.125, 2, '-94.12'],
    [0.5, 0, '0'],
    [1.5, 0, '2'],
    [2.5, 0, '2'],
    [-2.5, 0, '-2'],
    [0.03125, 4, '0.0312'],
    [0.09375, 4, '0.0938'],
    // Not ties: the nearest doubles lie a little above and below.
    [0.94125, 4, '0.9413'],
    [1.005, 2, '1.00'],
    [0.00005, 4, '0.0001'],
    [-0.00001, 4, '-0.0000'],
    [12345.678, 4, '12345.6780'],
    [3, 0, '3'],
    [NaN, 4, 'nan'],
    [Infinity, 4, 'inf'],
    [-Infinity, 4, '-inf'],
  ])('%f with %i decimals is %s', (value, decimals, expected) => {
    expect(fixed(value, decimals)).toBe(expected);
  });

  test('rounds ties to even, all else to the nearest', () => {
    // Fractions whose denominator is a power of two are exact in binary, and some of them are ties.
    const halves = fc.tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(halves, ([numerator, power]) => {
        const value = numerator / 2 ** power;
        const scaled = value * 10 ** 2; // exact: 30 bits and 7 bits
        const floor = Math.floor(scaled);
        const rest = scaled - floor;
        const nearest = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
        expect(Number(fixed(value, 2))).toBeCloseTo(nearest / 100, 9);
      }),
    );
  });
});
