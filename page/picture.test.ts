import { expect, test } from 'vitest';
import { onWhite } from './picture';

test('keeps opaque pixels, makes transparent ones white and puts others half a step below their blend with white', () => {
  const pixels = [
    [10, 20, 30, 255],
    [10, 20, 30, 0],
    [100, 0, 255, 51],
  ];
  const found = pixels.map((pixel) => Array.from(onWhite(Uint8ClampedArray.from(pixel))));
  expect(found).toEqual([
    [10, 20, 30, 255],
    [255, 255, 255, 0],
    [223.5, 203.5, 254.5, 51],
  ]);
});
