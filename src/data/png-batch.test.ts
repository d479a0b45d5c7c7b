import { crc32 } from 'node:zlib';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { DataError } from '../base/errors';
import { encodeRecords, imageBytes } from './decode';
import { decodePng } from './png-batch';

describe('decodePng', () => {
  const count = 3;
  const labels = Uint8Array.of(4, 0, 9);
  const images = Uint8Array.from({ length: count * imageBytes }, (_, i) => i * 7 + (i >> 8) * 13);
  const image = new PNG({ width: 1024, height: count });
  for (let i = 0; i < count * 1024; i++) {
    image.data.set([...images.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  }
  const png = PNG.sync.write(image, { colorType: 2 });

  test('each row is an image', async () => {
    expect(await decodePng(png, labels)).toEqual(encodeRecords(images, labels));
  });

  test('refuses another size before anything is decoded', async () => {
    await expect(decodePng(png, Uint8Array.of(1, 2))).rejects.toThrow(
      'it is 1024 x 3, expected 1024 x 2',
    );
    const bomb = Buffer.from(png);
    bomb.writeUInt32BE(1_000_000, 16);
    bomb.writeUInt32BE(1_000_000, 20);
    bomb.writeUInt32BE(crc32(bomb.subarray(12, 29)), 29);
    await expect(decodePng(bomb, labels)).rejects.toThrow(
      'it is 1000000 x 1000000, expected 1024 x 3',
    );
  });

  test.each([
    [
      'a flipped byte',
      () => Buffer.from(png).fill(png[png.length >> 1] ^ 1, png.length >> 1, (png.length >> 1) + 1),
    ],
    ['a cut', () => png.subarray(0, png.length >> 1)],
    ['another format', () => Buffer.from('GIF89a')],
  ])('refuses %s', async (_, bytes) => {
    await expect(decodePng(bytes(), labels)).rejects.toThrow(DataError);
  });
});
