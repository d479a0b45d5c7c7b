import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import { pictures } from './picture';

/** Two pictures of 2x2: one red, green, blue, white; one of a single grey. */
const two = new Float32Array(24).fill(127.6);
two.set([300, -9, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255]);

describe('pictures', () => {
  test('enlarges pixels without blurring them, rounds and clamps', async () => {
    const { bundle, metadata } = await pictures(two, { shape: [2, 2, 3], size: 40, columns: 1 });
    const { width, height, data } = PNG.sync.read(bundle['image/png'] as Buffer);
    expect([width, height]).toEqual([136, 236]);
    expect(metadata).toEqual({ 'image/png': { width: 68, height: 118 } });
    // In pixels of the page, each two pixels of the PNG wide: the centres of the quarters, and a corner of one.
    const at = (x: number, y: number): number[] => {
      const start = 4 * (2 * y * width + 2 * x);
      return [...data.subarray(start, start + 3)];
    };
    const first = [at(24, 24), at(44, 24), at(24, 44), at(44, 44), at(33, 33), at(5, 5)];
    expect(first).toEqual([
      [255, 0, 0],
      [0, 255, 0],
      [0, 0, 255],
      [255, 255, 255],
      [255, 0, 0],
      [255, 255, 255],
    ]);
    expect(at(30, 80)).toEqual([128, 128, 128]);
  });

  test('lists its captions in the text', async () => {
    const { bundle } = await pictures(two, {
      shape: [2, 2, 3],
      captions: ['cat\n90 %', 'dog & co'],
      title: 'Guesses',
    });
    expect(bundle['text/plain']).toBe('Guesses (2): cat, 90 %; dog & co');
  });

  test('accepts grey pictures', async () => {
    const { bundle } = await pictures(new Uint8Array([0, 255]), { shape: [1, 2, 1], size: 20 });
    const { data, width } = PNG.sync.read(bundle['image/png'] as Buffer);
    const middle = 4 * (2 * 16 * width + 2 * 19);
    expect([...data.subarray(middle, middle + 3)]).toEqual([0, 0, 0]);
    expect([...data.subarray(middle + 4 * 18, middle + 4 * 18 + 3)]).toEqual([255, 255, 255]);
  });

  test.each([
    ['a fraction of a picture', () => pictures(two.subarray(1), { shape: [2, 2, 3] }), /23 values/],
    ['no pictures', () => pictures(new Uint8Array(0)), /pictures: 0 values/],
    [
      'too few captions',
      () => pictures(two, { shape: [2, 2, 3], captions: ['cat'] }),
      /1 captions for 2/,
    ],
  ])('rejects %s', async (_, make, message) => {
    await expect(make()).rejects.toThrow(NotebookError);
    await expect(make()).rejects.toThrow(message);
  });
});
