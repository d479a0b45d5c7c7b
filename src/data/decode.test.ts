import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { DataError } from '../base/errors';
import {
  decodePickle,
  decodePng,
  decodeRecords,
  encodeRecords,
  imageBytes,
  recordBytes,
} from './decode';

/** Every byte value, in another order in every row. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7 + Math.floor(i / 256) * 13 + 5);
}

function fixture(name: string): Buffer {
  return readFileSync(join(__dirname, '../../test/data/fixtures', name));
}

describe('records', () => {
  test('a record is a label and three planes, an image its pixels one by one', () => {
    const records = Uint8Array.from({ length: 2 * recordBytes }, (_, i) => {
      const at = (i % recordBytes) - 1;
      return at < 0 ? 7 : Math.floor(at / 1024) * 100 + (at % 32);
    });
    const images = new Uint8Array(2 * imageBytes);
    const labels = new Uint8Array(2);
    decodeRecords(records, images, labels);
    expect([...labels]).toEqual([7, 7]);
    const wanted = Array.from({ length: 2 * 1024 }, (_, i) => [
      i % 32,
      100 + (i % 32),
      200 + (i % 32),
    ]);
    expect([...images]).toEqual(wanted.flat());
  });

  test('decoding what was encoded gives it back', () => {
    const bytes = fc.integer({ min: 0, max: 3 }).chain((count) => {
      return fc.record({
        labels: fc.uint8Array({ minLength: count, maxLength: count }),
        images: fc.uint8Array({ minLength: count * imageBytes, maxLength: count * imageBytes }),
      });
    });
    fc.assert(
      fc.property(bytes, ({ images, labels }) => {
        const found = {
          images: new Uint8Array(images.length),
          labels: new Uint8Array(labels.length),
        };
        decodeRecords(encodeRecords(images, labels), found.images, found.labels);
        expect(found.images).toEqual(images);
        expect(found.labels).toEqual(labels);
      }),
      { numRuns: 30 },
    );
  });

  test('sizes that do not fit are refused', () => {
    expect(() =>
      decodeRecords(new Uint8Array(3072), new Uint8Array(3072), new Uint8Array(1)),
    ).toThrow(
      'decode: 1 labels want 3073 bytes of records and 3072 of images, but there are 3072 and 3072.',
    );
    expect(() => encodeRecords(new Uint8Array(3072), new Uint8Array(2))).toThrow(
      'encode: 2 labels want images of 6144 bytes (32 x 32 x 3 each), but there are 3072.',
    );
  });
});

describe('PNG', () => {
  const count = 3;
  const labels = Uint8Array.of(4, 0, 9);
  const images = pattern(count * imageBytes);
  const image = new PNG({ width: 1024, height: count });
  for (let i = 0; i < count * 1024; i++) {
    image.data.set([...images.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  }
  const png = PNG.sync.write(image, { colorType: 2 });

  test('each row is an image', () => {
    expect(decodePng(png, labels)).toEqual(encodeRecords(images, labels));
  });

  test('another size is refused', () => {
    expect(() => decodePng(png, Uint8Array.of(1, 2))).toThrow(
      'png: it is 1024 x 3, expected 1024 x 2',
    );
  });

  test('a flipped byte and a cut are refused', () => {
    const flipped = Buffer.from(png);
    flipped[png.length >> 1] ^= 1;
    expect(() => decodePng(flipped, labels)).toThrow(DataError);
    expect(() => decodePng(png.subarray(0, png.length >> 1), labels)).toThrow(DataError);
  });
});

describe('pickle', () => {
  // Written by NumPy 1.16 under Python 2.7 (as the official files were), and by NumPy 2.4 under Python 3.11.
  test.each(['python2.pickle', 'python3-protocol2.pickle', 'python3.pickle'])('%s', (name) => {
    const planes = pattern(2 * imageBytes);
    const wanted = Buffer.concat([
      Uint8Array.of(9),
      planes.subarray(0, imageBytes),
      Uint8Array.of(3),
      planes.subarray(imageBytes),
    ]);
    expect(decodePickle(fixture(name)).equals(wanted)).toBe(true);
  });

  test('a class that such a file has no use for is refused, not called', () => {
    expect(() => decodePickle(Buffer.from("cos\nsystem\n(S'true'\ntR."))).toThrow(
      'pickle: it cannot be decoded (it asks for os.system).',
    );
  });

  test('a cut file, another file and another dictionary are refused', () => {
    expect(() => decodePickle(fixture('python2.pickle').subarray(0, 4000))).toThrow(DataError);
    expect(() => decodePickle(Buffer.from('<html>404</html>'))).toThrow(DataError);
    expect(() => decodePickle(Buffer.from('}.'))).toThrow(
      'pickle: no dictionary with an array "data" and a list "labels".',
    );
  });

  test('labels that are more than the images are refused', () => {
    // In protocol 2 the list's first label is the opcode K (one byte) and 9; another one is put before it.
    const pickle = fixture('python2.pickle').toString('latin1');
    const longer = pickle.replace('K\x09K\x03e', 'K\x01K\x09K\x03e');
    expect(longer).not.toBe(pickle);
    expect(() => decodePickle(Buffer.from(longer, 'latin1'))).toThrow(
      'pickle: "data" is no uint8 array [3,3072], as its 3 labels want.',
    );
  });
});
