import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decodePicture } from './picture-decoder';

const folder = join(__dirname, '../../test/fixtures/pictures');
const read = (name: string): Buffer => readFileSync(join(folder, name));

type Colour = readonly [red: number, green: number, blue: number];
type Colours = (x: number, y: number) => Colour;

/** The pictures that `make_pictures.py` draws. */
const ramp: Colours = (x, y) => [x * 20, y * 30, x * 5 + y * 7];
const grey: Colours = (x) => [x * 20, x * 20, x * 20];
const quarters: Colours = (x, y) =>
  [
    [[230, 20, 30] as const, [20, 200, 40] as const],
    [[30, 40, 220] as const, [240, 220, 20] as const],
  ][y < 8 ? 0 : 1][x < 16 ? 0 : 1];
const red: Colours = () => [200, 0, 0];
const four: Colours = (x) => {
  return ([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]] as const)[x % 4]; // prettier-ignore
};
const wide: Colours = (x, y) => [(x * 5957) >> 8, (y * 9362) >> 8, (x * 1000 + y * 2000) >> 8];
const onWhite = (colours: Colours, alpha: (x: number, y: number) => number): Colours => {
  return (x, y) => {
    const a = alpha(x, y) / 255;
    return colours(x, y).map((value) => a * value + (1 - a) * 255) as never;
  };
};
const luma: Colours = (x, y) => {
  const [r, g, b] = quarters(x, y);
  const value = 0.299 * r + 0.587 * g + 0.114 * b;
  return [value, value, value];
};

describe('decodePicture', () => {
  test.each<[string, readonly [number, number], Colours, number]>([
    ['rgb.png', [12, 8], ramp, 0],
    ['interlaced.png', [12, 8], ramp, 0],
    ['grey.png', [12, 8], grey, 0],
    ['grey-1.png', [12, 8], (x, y) => ((x + y) % 2 === 0 ? [0, 0, 0] : [255, 255, 255]), 0],
    ['grey-16.png', [12, 8], (x, y) => Array(3).fill((x * 5957 + y) >> 8) as never, 0],
    ['rgb-16.png', [12, 8], wide, 0],
    ['rgba-16.png', [12, 8], wide, 0],
    ['grey-alpha.png', [12, 8], onWhite(grey, (_, y) => y * 36), 1],
    ['alpha.png', [12, 8], onWhite(ramp, (x) => Math.floor((x * 255) / 11)), 1],
    ['alpha.webp', [12, 8], onWhite(ramp, (x) => Math.floor((x * 255) / 11)), 1],
    ['colour-key.png', [12, 8], onWhite(ramp, (x, y) => (x === 1 && y === 1 ? 0 : 255)), 0],
    ['palette.png', [12, 8], four, 0],
    ['palette-alpha.png', [12, 8], onWhite(four, (x) => [255, 0, 128, 255][x % 4]), 1],
    ['linear-profile.png', [12, 8], () => [0, 188, 255], 0],
    ['animated.png', [12, 8], red, 0],
    ['palette.gif', [12, 8], four, 0],
    ['interlaced.gif', [12, 8], four, 0],
    ['transparent.gif', [12, 8], onWhite(four, (x) => (x % 4 === 1 ? 0 : 255)), 0],
    ['animated.gif', [12, 8], red, 0],
    ['lossless.webp', [12, 8], ramp, 0],
    ['animated.webp', [12, 8], red, 0],
    ['progressive.jpg', [32, 16], quarters, 2],
    ['grey.jpg', [32, 16], luma, 2],
    ['orientation-1.jpg', [32, 16], quarters, 2],
    ['orientation-2.jpg', [32, 16], (x, y) => quarters(31 - x, y), 2],
    ['orientation-3.jpg', [32, 16], (x, y) => quarters(31 - x, 15 - y), 2],
    ['orientation-4.jpg', [32, 16], (x, y) => quarters(x, 15 - y), 2],
    ['orientation-5.jpg', [16, 32], (x, y) => quarters(y, x), 2],
    ['orientation-6.jpg', [16, 32], (x, y) => quarters(y, 15 - x), 2],
    ['orientation-7.jpg', [16, 32], (x, y) => quarters(31 - y, 15 - x), 2],
    ['orientation-8.jpg', [16, 32], (x, y) => quarters(31 - y, x), 2],
    ['orientation-6.png', [16, 32], (x, y) => quarters(y, 15 - x), 0],
    ['orientation-6.webp', [16, 32], (x, y) => quarters(y, 15 - x), 0],
  ])('%s', async (name, [width, height], colours, tolerance) => {
    const found = await decodePicture(read(name));
    expect([found.width, found.height, found.data.length]).toEqual([
      width,
      height,
      width * height * 3,
    ]);
    const wanted = Array.from({ length: width * height }, (_, i) =>
      colours(i % width, Math.floor(i / width)),
    ).flat();
    const off = wanted.map((value, i) => Math.abs(value - found.data[i]));
    expect(Math.max(...off)).toBeLessThanOrEqual(tolerance);
  });

  /** The colours in the corners of a 32 x 16 picture. */
  async function corners(name: string): Promise<readonly Uint8Array[]> {
    const { data } = await decodePicture(read(name));
    return [0, 31, 480, 511].map((pixel) => data.subarray(3 * pixel, 3 * pixel + 3));
  }
  const drawn = [quarters(0, 0), quarters(31, 0), quarters(0, 15), quarters(31, 15)];

  // Both store colour at half the resolution, which shows only at the borders.
  test.each(['lossy.webp', 'subsampled.jpg'])('%s', async (name) => {
    const off = (await corners(name)).flatMap((found, i) =>
      drawn[i].map((value, channel) => Math.abs(value - found[channel])),
    );
    expect(Math.max(...off)).toBeLessThanOrEqual(2);
  });

  // CMYK without a profile: libvips assumes a common one, so red, green, blue and yellow look as printed. Pillow and browsers
  // take the complement of each ink, which gives the colours drawn.
  test('cmyk.jpg', async () => {
    expect((await corners('cmyk.jpg')).map((colour) => [...colour])).toEqual([
      [212, 42, 36],
      [0, 126, 72],
      [57, 51, 122],
      [242, 200, 7],
    ]);
  });

  const names = readdirSync(folder).filter((name) => !name.endsWith('.py'));

  test.each(names)('%s, truncated anywhere, is rejected or decodes completely', async (name) => {
    const bytes = read(name);
    const { data } = await decodePicture(bytes);
    const wrong: number[] = [];
    for (let length = 0; length < bytes.length; length += length < 200 ? 1 : 13) {
      // If it decodes, only the end marker or an unused frame is missing.
      const found = await decodePicture(bytes.subarray(0, length)).catch(() => undefined);
      if (found !== undefined && Buffer.compare(found.data, data) !== 0) wrong.push(length);
    }
    expect(wrong).toEqual([]);
  });

  test('accepts bytes that a camera leaves between the segments of a JPEG', async () => {
    const bytes = read('orientation-1.jpg');
    const tables = bytes.indexOf(Buffer.of(0xff, 0xc4));
    const stuffed = Buffer.concat([
      bytes.subarray(0, tables),
      Buffer.alloc(5),
      bytes.subarray(tables),
    ]);
    const { data } = await decodePicture(stuffed);
    expect(data).toEqual((await decodePicture(bytes)).data);
  });

  test('rejects an invalid code in a JPEG', async () => {
    const bytes = Buffer.from(read('progressive.jpg'));
    bytes.fill(0x7f, bytes.length - 60, bytes.length - 2);
    await expect(decodePicture(bytes)).rejects.toThrow(/premature end|Huffman/);
  });

  test('rejects a header with more pixels than the limit', async () => {
    const bytes = Buffer.from(read('rgb.png'));
    bytes.writeUInt32BE(8192, 16);
    bytes.writeUInt32BE(8193, 20);
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29);
    await expect(decodePicture(bytes)).rejects.toThrow('it has more than 67,108,864 pixels');
  });
});
