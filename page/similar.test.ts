import { describe, expect, test } from 'vitest';
import { nearest } from './similar';

describe('nearest', () => {
  const set = Int8Array.from([127, 0, 0, 10, 10, 0, -127, 0, 0, 0, 0, 0]);

  test('ranks by angle, regardless of length', () => {
    const found = nearest(Float32Array.from([2, 2, 0]), set, 3);
    expect(found.map(({ index }) => index)).toEqual([1, 0, 3]);
    expect(found.map(({ cosine }) => cosine)).toEqual([
      expect.closeTo(1, 12),
      expect.closeTo(Math.SQRT1_2, 12),
      0,
    ]);
  });

  test('an image is not its own neighbour', () => {
    expect(nearest(Float32Array.from([10, 10, 0]), set, 1, 1)).toEqual([
      { index: 0, cosine: expect.closeTo(Math.SQRT1_2, 12) as number },
    ]);
  });

  test('zero features have cosine 0 to every image, and there are no more neighbours than images', () => {
    const found = nearest(new Float32Array(3), set, 9);
    expect(found.map(({ cosine }) => cosine)).toEqual([0, 0, 0, 0]);
  });
});
