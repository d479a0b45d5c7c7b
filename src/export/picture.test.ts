import { encode } from 'jpeg-js';
import { PNG } from 'pngjs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pngOf, readPicture, resizeByArea } from './picture';

/** A picture whose pixels tell where they are. */
function ramp(width: number, height: number): { width: number; height: number; data: Uint8Array } {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const place = Math.floor(i / 3);
    return [place % width, Math.floor(place / width), 200][i % 3] % 256;
  });
  return { width, height, data };
}

describe('readPicture', () => {
  test('a PNG that was written comes back', () => {
    const picture = ramp(5, 3);
    expect(readPicture(pngOf(picture), 'ramp.png')).toEqual(picture);
  });

  test('what is transparent is put on white', () => {
    const png = new PNG({ width: 2, height: 1 });
    png.data.set([255, 0, 0, 0, 255, 0, 0, 128]);
    const { data } = readPicture(PNG.sync.write(png), 'half.png');
    expect([...data]).toEqual([255, 255, 255, 255, 127, 127]);
  });

  test('a JPEG, nearly', () => {
    const data = Buffer.alloc(16 * 16 * 4, 90);
    const found = readPicture(encode({ width: 16, height: 16, data }, 95).data, 'grey.jpg');
    expect([found.width, found.height, found.data.length]).toEqual([16, 16, 768]);
    expect(Math.abs(found.data[300] - 90)).toBeLessThan(3);
  });

  test.each([
    ['nothing', Buffer.alloc(0), 'x.png is empty. Give a .png or a .jpg file.'],
    ['text', Buffer.from('hello'), 'x.png is neither a PNG nor a JPEG picture.'],
    ['half a PNG', pngOf(ramp(40, 40)).subarray(0, 60), 'x.png is no PNG picture that can be read'],
    ['eight bytes of a PNG', pngOf(ramp(4, 4)).subarray(0, 8), 'it ends within its header'],
    [
      'three bytes of a JPEG',
      Buffer.of(255, 216, 255),
      'x.png is no JPEG picture that can be read',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readPicture(bytes, 'x.png')).toThrow(message);
  });

  test('refuses a size that would fill the memory', () => {
    const bytes = Buffer.from(pngOf(ramp(4, 4)));
    bytes.writeUInt32BE(100_000, 16);
    bytes.writeUInt32BE(100_000, 20);
    expect(() => readPicture(bytes, 'big.png')).toThrow('it has 100000 x 100000 pixels');
  });
});

describe('resizeByArea', () => {
  test('a picture of the size stays as it is', () => {
    expect(resizeByArea(ramp(32, 32))).toEqual(ramp(32, 32).data);
  });

  test('a whole multiple is the mean of blocks', () => {
    const found = resizeByArea(ramp(64, 64));
    // Columns 0 and 1 have red 0 and 1; 0.5 is rounded up.
    expect([...found.subarray(0, 6)]).toEqual([1, 1, 200, 3, 1, 200]);
  });

  test('parts of pixels count by their part', () => {
    const data = Uint8Array.of(0, 0, 0, 30, 30, 30, 90, 90, 90, ...Array<number>(18).fill(0));
    const found = resizeByArea({ width: 3, height: 3, data }, 2);
    // (1 x 0 + 0.5 x 30) / 1.5 over the first row, which is two thirds of the pixel's height.
    expect([found[0], found[3]]).toEqual([7, 47]);
  });

  test('the middle square is taken', () => {
    expect(resizeByArea(ramp(40, 32))[0]).toBe(4);
    expect(resizeByArea(ramp(32, 40))[1]).toBe(4);
  });

  test('one colour stays one colour, whatever the size', () => {
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
