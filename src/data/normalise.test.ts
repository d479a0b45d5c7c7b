import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mean, normalise, normaliseSplit, reflectPad, std, unnormalise } from './normalise';
import { readSafetensors } from './safetensors';

const { tensors } = readSafetensors(
  join(__dirname, '../../test/fixtures/reference/preprocess.safetensors'),
);

function reference(name: string): number[] {
  return Array.from(tensors.get(name)!.data, Number);
}

/** The largest difference between two lists of equal length. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (x, i) => Math.abs(x - b[i])).reduce((worst, d) => Math.max(worst, d), 0);
}

const raw = Uint8Array.from(reference('raw_uint8'));

describe('normalise', () => {
  test('equals the reference on real images, up to float32 rounding', () => {
    // Values reach 2.2, where neighbouring float32 lie 2.4e-7 apart.
    expect(distance(normalise(raw), reference('normalised'))).toBeLessThan(2.4e-7);
  });

  test('uses the mean and standard deviation of each channel', () => {
    const found = normalise(Uint8Array.of(0, 0, 0, 255, 255, 255));
    const wanted = [0, 255].flatMap((x) => mean.map((m, i) => Math.fround((x - m) / std[i])));
    expect([...found]).toEqual(wanted);
  });

  test('a split keeps its labels, and its images are not changed in place', () => {
    const split = { images: Uint8Array.of(0, 128, 255), labels: Uint8Array.of(7) };
    const { images, labels } = normaliseSplit(split);
    expect([...images]).toEqual([...normalise(Uint8Array.of(0, 128, 255))]);
    expect([...labels]).toEqual([7]);
    expect([...split.images]).toEqual([0, 128, 255]);
  });

  test('unnormalise restores every byte in every channel', () => {
    const bytes = Uint8Array.from({ length: 3 * 256 }, (_, i) => i / 3);
    expect([...Uint8ClampedArray.from(unnormalise(normalise(bytes)))]).toEqual([...bytes]);
    expect(distance(unnormalise(normalise(bytes)), bytes)).toBeLessThan(4e-5);
  });

  test('accepts other constants', () => {
    const by = { mean: [1, 2, 3], std: [2, 4, 8] } as const;
    expect([...normalise(Uint8Array.of(5, 6, 7), by)]).toEqual([2, 1, 0.5]);
    expect([...unnormalise(Float32Array.of(2, 1, 0.5), by)]).toEqual([5, 6, 7]);
  });

  test('refuses a length that is not a multiple of the channels', () => {
    expect(() => normalise(new Uint8Array(4))).toThrow(
      'normalise: 4 values are not a multiple of 3',
    );
    expect(() => unnormalise(new Float32Array(5))).toThrow('unnormalise: 5 values');
  });
});

describe('reflectPad', () => {
  test('equals the reference on real images', () => {
    expect([...reflectPad(raw, 4)]).toEqual(reference('padded_uint8'));
  });

  test('pads floats like bytes, so padding and normalising commute', () => {
    expect(reflectPad(normalise(raw), 4)).toEqual(normalise(reflectPad(raw, 4)));
  });

  test('equals a plain loop for any size and border', () => {
    const cases = fc.integer({ min: 1, max: 6 }).chain((size) => {
      return fc.record({
        size: fc.constant(size),
        border: fc.integer({ min: 0, max: size - 1 }),
        images: fc.integer({ min: 0, max: 3 }).chain((n) => {
          const length = n * size * size * 3;
          return fc.uint8Array({ minLength: length, maxLength: length });
        }),
      });
    });
    fc.assert(
      fc.property(cases, ({ size, border, images }) => {
        const wide = size + 2 * border;
        const order = [...Array(size).keys()];
        // Walks to the far edge and back: 0 1 2 3 2 1 0 1 2 ...
        const walk = [...order, ...order.slice(1, -1).map((i) => size - 1 - i)];
        const source = (i: number): number => walk.at((i - border) % walk.length)!;
        const wanted: number[] = [];
        for (let n = 0; n < images.length / (size * size * 3); n++) {
          for (let y = 0; y < wide; y++) {
            for (let x = 0; x < wide; x++) {
              const from = ((n * size + source(y)) * size + source(x)) * 3;
              wanted.push(...images.subarray(from, from + 3));
            }
          }
        }
        expect([...reflectPad(images, border, size)]).toEqual(wanted);
      }),
    );
  });

  test('refuses a border that cannot be mirrored, and a fraction of an image', () => {
    expect(() => reflectPad(new Uint8Array(48), 4, 4)).toThrow(
      'reflectPad: the border of an image of 4 x 4 cannot be 4 pixels. Give a whole number from 0 to 3.',
    );
    expect(() => reflectPad(new Uint8Array(47), 1, 4)).toThrow(
      'not a whole number of images [4,4,3]',
    );
  });
});
