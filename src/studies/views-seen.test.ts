import { expect, test } from 'vitest';
import { viewsSeen } from './views-seen';

const how = { images: 20_000, epochs: 6, seed: 3 };

test('with alternating mirroring, every image is seen both ways after two epochs, and never twice in a row the same way', () => {
  const seen = viewsSeen(how.images, how.epochs, { isAlternating: true, seed: how.seed });
  expect(seen.map(({ both }) => both)).toEqual([0, 1, 1, 1, 1, 1]);
  expect(seen.map(({ repeated }) => repeated)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('with random mirroring, half of the images repeat the last view, and 2^(1 - epochs) are never seen the other way', () => {
  const seen = viewsSeen(how.images, how.epochs, { isAlternating: false, seed: how.seed });
  for (const { epoch, both, repeated } of seen) {
    // Four standard errors of a fraction of 20,000 images.
    expect(Math.abs(both - (1 - 2 ** (1 - epoch)))).toBeLessThan(0.015);
    expect(Math.abs(repeated - (epoch === 1 ? 0 : 0.5))).toBeLessThan(0.015);
  }
});
