import { describe, expect, test } from 'vitest';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import { alternatingFlips, applyFlipLR, flipLR } from './flip';

describe('alternatingFlips', () => {
  const count = 10_000;
  const flips = (epoch: number): Int32Array => alternatingFlips(count, epoch, createRng(3, 'flip'));

  test('mirrors a random half of the images in the first epoch', () => {
    const first = flips(1);
    expect(new Set(first)).toEqual(new Set([0, 1]));
    // Five standard deviations of a fair coin are 250.
    expect(Math.abs(first.reduce((sum, flip) => sum + flip, 0) - count / 2)).toBeLessThan(250);
    expect(alternatingFlips(count, 1, createRng(4, 'flip'))).not.toEqual(first);
  });

  test('shows each image both ways in any two consecutive epochs', () => {
    for (const epoch of [1, 2, 3, 8]) {
      const [now, next] = [flips(epoch), flips(epoch + 1)];
      expect(now.every((flip, image) => flip + next[image] === 1)).toBe(true);
      expect(flips(epoch + 2)).toEqual(now);
    }
  });
});

test('flipLR sets isAlternating only if flips alternate', () => {
  expect(flipLR()).toEqual({ kind: 'flip-lr' });
  expect(flipLR({ isAlternating: true })).toEqual({ kind: 'flip-lr', isAlternating: true });
});

test('applyFlipLR mirrors rows, and refuses a flip that is not a boolean', () => {
  const image = { shape: [1, 3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) } as const;
  expect([...applyFlipLR(image, { flip: true }).data]).toEqual([5, 6, 3, 4, 1, 2]);
  expect(applyFlipLR(image, { flip: false })).toEqual(image);
  expect(() => applyFlipLR(image, { flip: 1 as unknown as boolean })).toThrow(AugmentError);
});
