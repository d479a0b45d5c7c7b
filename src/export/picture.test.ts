import { PNG } from 'pngjs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pngOf, resizeByArea } from './picture';

/** A picture whose pixels encode their position. */
function ramp(width: number, height: number): { width: number; height: number; data: Uint8Array } {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const place = Math.floor(i / 3);
    return [place % width, Math.floor(place / width), 200][i % 3] % 256;
  });
  return { width, height, data };
}

test('pngOf writes a PNG that decodes to the same pixels', () => {
  const picture = ramp(5, 3);
  const { width, height, data } = PNG.sync.read(Buffer.from(pngOf(picture)));
  const rgba = Array.from({ length: 15 }, (_, i) => [
    ...picture.data.subarray(3 * i, 3 * i + 3),
    255,
  ]);
  expect([width, height, [...data]]).toEqual([5, 3, rgba.flat()]);
});

describe('resizeByArea', () => {
  test('leaves a picture of the target size unchanged', () => {
    expect(resizeByArea(ramp(32, 32))).toEqual(ramp(32, 32).data);
  });

  test('averages blocks for an integer factor', () => {
    const found = resizeByArea(ramp(64, 64));
    // Columns 0 and 1 have red 0 and 1; 0.5 is rounded up.
    expect([...found.subarray(0, 6)]).toEqual([1, 1, 200, 3, 1, 200]);
  });

  test('weights partly covered pixels by the covered fraction', () => {
    const data = Uint8Array.of(0, 0, 0, 30, 30, 30, 90, 90, 90, ...Array<number>(18).fill(0));
    const found = resizeByArea({ width: 3, height: 3, data }, 2);
    // (1 x 0 + 0.5 x 30) / 1.5 over the first row, which is two thirds of the pixel's height.
    expect([found[0], found[3]]).toEqual([7, 47]);
  });

  test('crops to the centre square', () => {
    expect(resizeByArea(ramp(40, 32))[0]).toBe(4);
    expect(resizeByArea(ramp(32, 40))[1]).toBe(4);
  });

  test('keeps a single colour at any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 0, max: 255 }),
        (width, height, value) => {
          const data = new Uint8Array(width * height * 3).fill(value);
          expect(resizeByArea({ width, height, data }).every((found) => found === value)).toBe(
            true,
          );
        },
      ),
    );
  });
});
