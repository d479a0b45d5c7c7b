import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeRecords, encodeRecords, imageBytes, recordBytes } from './decode';

describe('records', () => {
  test('decodes a label and three planes into interleaved pixels', () => {
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

  test('decoding inverts encoding', () => {
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

  test('refuses sizes that do not match', () => {
    expect(() =>
      decodeRecords(new Uint8Array(3072), new Uint8Array(3072), new Uint8Array(1)),
    ).toThrow('decode: 1 labels need 3073 bytes of records and 3072 of images; got 3072 and 3072.');
    expect(() => encodeRecords(new Uint8Array(3072), new Uint8Array(2))).toThrow(
      'encode: 2 labels need images of 6144 bytes (32 x 32 x 3 each); got 3072.',
    );
  });
});
