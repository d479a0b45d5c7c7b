import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AugmentError } from '../base/errors';
import { crop } from './crop';
import { cutout } from './cutout';
import { flipLR } from './flip';
import { apply, options, outputShape } from './transform';
import type { Image } from './window';

/** Pixel (y, x), channel c holds 100 y + 10 x + c, plus 1 so that nothing is zero. */
function numbered(height: number, width: number, channels: number): Image {
  const data = Float32Array.from({ length: height * width * channels }, (_, i) => {
    const pixel = Math.floor(i / channels);
    return 100 * Math.floor(pixel / width) + 10 * (pixel % width) + (i % channels) + 1;
  });
  return { data, shape: [height, width, channels] };
}

const anyImage = fc
  .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.constantFrom(1, 3))
  .map(([height, width, channels]) => numbered(height, width, channels));

describe('options', () => {
  test('are as many as in the reference', () => {
    expect(options(crop(32, 32), [40, 40]).length).toBe(81);
    expect(options(flipLR(), [32, 32]).length).toBe(2);
    expect(options(cutout(8, 8), [32, 32]).length).toBe(625);
    expect(options(cutout(5, 5), [32, 32]).length).toBe(784);
    expect(options(cutout(12, 12), [32, 32]).length).toBe(441);
  });

  test('vary x0 slowest', () => {
    expect(options(crop(2, 3), [3, 4])).toEqual([
      { x0: 0, y0: 0 },
      { x0: 0, y0: 1 },
      { x0: 1, y0: 0 },
      { x0: 1, y0: 1 },
    ]);
    expect(options(flipLR(), [3, 4])).toEqual([{ flip: true }, { flip: false }]);
  });

  test('are distinct and fit; corners just outside do not', () => {
    fc.assert(
      fc.property(anyImage, fc.nat(8), fc.nat(8), (image, h, w) => {
        const [height, width] = image.shape;
        const window = cutout(1 + (h % height), 1 + (w % width));
        const found = options(window, [height, width]);
        const down = height - window.height + 1;
        const across = width - window.width + 1;
        expect(new Set(found.map(({ x0, y0 }) => `${x0},${y0}`)).size).toBe(down * across);
        for (const option of found) expect(apply(window, image, option).shape).toEqual(image.shape);
        for (const [x0, y0] of [
          [-1, 0],
          [0, -1],
          [across, 0],
          [0, down],
          [0.5, 0],
        ]) {
          expect(() => apply(window, image, { x0, y0 })).toThrow(AugmentError);
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('apply', () => {
  test('crop takes the window', () => {
    const out = apply(crop(2, 3), numbered(4, 5, 2), { x0: 2, y0: 1 });
    expect(out.shape).toEqual([2, 3, 2]);
    expect([...out.data]).toEqual([121, 122, 131, 132, 141, 142, 221, 222, 231, 232, 241, 242]);
  });

  test('flip mirrors left to right and keeps the channels', () => {
    const image = numbered(2, 3, 2);
    const out = apply(flipLR(), image, { flip: true });
    expect([...out.data]).toEqual([21, 22, 11, 12, 1, 2, 121, 122, 111, 112, 101, 102]);
    expect(apply(flipLR(), image, { flip: false }).data).toEqual(image.data);
  });

  test('flip twice is identity', () => {
    fc.assert(
      fc.property(anyImage, (image) => {
        const once = apply(flipLR(), image, { flip: true });
        expect(apply(flipLR(), once, { flip: true })).toEqual(image);
      }),
    );
  });

  test('cutout puts 0.0 into the box and nowhere else', () => {
    const image = numbered(3, 4, 1);
    const out = apply(cutout(2, 1), image, { x0: 3, y0: 1 });
    expect([...out.data]).toEqual([1, 11, 21, 31, 101, 111, 121, 0, 201, 211, 221, 0]);
  });

  test('does not change its argument', () => {
    const image = numbered(4, 4, 3);
    const before = image.data.slice();
    for (const out of [
      apply(crop(4, 4), image, { x0: 0, y0: 0 }),
      apply(flipLR(), image, { flip: false }),
      apply(cutout(2, 2), image, { x0: 0, y0: 0 }),
    ]) {
      out.data.fill(-7);
    }
    expect(image.data).toEqual(before);
  });
});

describe('errors', () => {
  test('say what does not fit and what to do', () => {
    expect(() => options(crop(32, 32), [28, 40])).toThrow(
      'crop: a window of 32 x 32 does not fit into an image of 28 x 40. Pad the image more, or crop less.',
    );
    expect(() => options(cutout(8, 40), [32, 32])).toThrow(/cutout: .*Make the box smaller\./);
    expect(() => apply(crop(2, 2), numbered(3, 4, 1), { x0: 3, y0: 0 })).toThrow(
      /x0 3, y0 0 .* expected x0 in 0\.\.2, y0 in 0\.\.1/,
    );
    expect(() => crop(0, 3)).toThrow(/crop: 0 x 3 is not a valid size/);
    expect(() => cutout(2.5, 3)).toThrow(AugmentError);
  });

  test('an option of another transform is refused', () => {
    const image = numbered(3, 3, 1);
    const corner = { x0: 1, y0: 1 } as unknown as { flip: boolean };
    const mirror = { flip: true } as unknown as { x0: number; y0: number };
    expect(() => apply(flipLR(), image, corner)).toThrow(/flip is undefined; give true or false/);
    expect(() => apply(cutout(1, 1), image, mirror)).toThrow(AugmentError);
  });
});

describe('outputShape', () => {
  test('follows the crop', () => {
    expect(outputShape([], [40, 36])).toEqual([40, 36]);
    expect(outputShape([crop(32, 30), flipLR(), cutout(8, 8)], [40, 36])).toEqual([32, 30]);
    expect(outputShape([flipLR(), cutout(8, 8)], [32, 32])).toEqual([32, 32]);
  });

  test('checks the cutout against the cropped image', () => {
    expect(() => outputShape([crop(4, 4), cutout(5, 5)], [40, 40])).toThrow(/image of 4 x 4/);
  });

  test.each([
    [[flipLR(), crop(2, 2)]],
    [[cutout(2, 2), flipLR()]],
    [[flipLR(), flipLR()]],
    [[crop(3, 3), crop(2, 2)]],
  ])('refuses %j', (transforms) => {
    expect(() => outputShape(transforms, [4, 4])).toThrow(
      /at most once, in the order crop, flip-lr, cutout/,
    );
  });
});
