import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { AugmentError } from '../base/errors';
import { linearResampling, resampled } from './resample';

/** A line of pixels, resampled. */
function resampledLine(line: readonly number[], to: number): number[] {
  const matrix = linearResampling(line.length, to);
  return Array.from({ length: to }, (_, i) =>
    line.reduce((sum, pixel, j) => sum + matrix[i * line.length + j] * pixel, 0),
  );
}

describe('linearResampling', () => {
  test('equals small matrices worked out by hand', () => {
    expect([...linearResampling(4, 2)]).toEqual([0.5, 0.5, 0, 0, 0, 0, 0.5, 0.5]);
    expect([...linearResampling(2, 4)]).toEqual([1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]);
    expect([...linearResampling(3, 1)]).toEqual([0, 1, 0]);
    expect([...linearResampling(1, 2)]).toEqual([1, 1]);
    expect([...linearResampling(3, 3)]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
  });

  test.each([
    [8, 6, [1 / 6, 2.5, 8 + 1 / 6, 17.5, 30.5, 46 + 5 / 6]],
    [5, 3, [1 / 3, 4, 13 + 2 / 3]],
    [4, 7, [0, 5 / 14, 13 / 14, 2.5, 4 + 5 / 14, 7 + 3 / 14, 9]],
  ])('the squares of 0 to %i - 1 at %i pixels match PyTorch 2.15', (from, to, expected) => {
    // torch.nn.functional.interpolate(mode='bilinear') in float64 gives these fractions to 15 digits.
    const line = Array.from({ length: from }, (_, i) => i * i);
    const found = resampledLine(line, to);
    expectClose('line', { shape: [to], data: found }, { shape: [to], data: expected }, 1e-6);
  });

  test('each pixel is a weighted mean of at most two neighbours, and straight lines stay straight', () => {
    const length = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(length, length, (from, to) => {
        const matrix = linearResampling(from, to);
        for (let i = 0; i < to; i++) {
          const row = [...matrix.subarray(i * from, (i + 1) * from)];
          expect(row.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
          const used = row.flatMap((share, j) => (share === 0 ? [] : [j]));
          expect(used.length).toBeLessThanOrEqual(2);
          expect((used.at(-1) ?? NaN) - used[0]).toBeLessThanOrEqual(1);
          expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
          const centre = row.reduce((sum, share, j) => sum + share * j, 0);
          const expected = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
          expect(centre).toBeCloseTo(expected, 4);
        }
      }),
    );
  });

  test.each([
    [0, 4],
    [4, 2.5],
    [4, NaN],
  ])('refuses %d to %d pixels', (from, to) => {
    expect(() => linearResampling(from, to)).toThrow(AugmentError);
    expect(() => linearResampling(from, to)).toThrow(`${from} to ${to} pixels`);
  });
});

describe('resampled', () => {
  test('averages each 2x2 patch, channel by channel', () => {
    // Rows and columns of 4 pixels at 2: each output is the mean of a 2x2 patch.
    const images = Float32Array.from({ length: 2 * 4 * 4 * 3 }, (_, i) => i);
    const found = resampled(images, [2, 4, 4, 3], 2);
    const at = (n: number, y: number, x: number, c: number): number =>
      ((n * 4 + y) * 4 + x) * 3 + c;
    const mean = (n: number, y: number, x: number, c: number): number =>
      (at(n, 2 * y, 2 * x, c) + at(n, 2 * y + 1, 2 * x + 1, c)) / 2;
    expect(found).toHaveLength(2 * 2 * 2 * 3);
    for (const [i, value] of found.entries()) {
      const [c, x, y, n] = [
        i % 3,
        Math.floor(i / 3) % 2,
        Math.floor(i / 6) % 2,
        Math.floor(i / 12),
      ];
      expect(value).toBeCloseTo(mean(n, y, x, c), 4);
    }
  });

  test('returns images of the same size unchanged, and refuses a length that does not fit', () => {
    const images = Uint8Array.from({ length: 27 }, (_, i) => 9 * i);
    expect([...resampled(images, [1, 3, 3, 3], 3)]).toEqual([...images]);
    expect(() => resampled(images, [1, 3, 4, 3], 2)).toThrow(AugmentError);
  });
});
