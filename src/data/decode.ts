import { DataError } from '../base/errors';

const side = 32;
const pixels = side * side;

/** Bytes of one image, in any layout: 32 x 32 pixels, three channels. */
export const imageBytes: number = 3 * pixels;

/** Bytes of one record of the official binary layout: a label, then the planes R, G and B, each row by row. */
export const recordBytes: number = 1 + imageBytes;

/**
 * Reads records of the official binary layout into images and labels.
 *
 * `images` is `[N,32,32,3]` and `labels` `[N]`, both written in full; `records` holds `N` records.
 *
 * @throws DataError if the three sizes do not fit each other.
 */
export function decodeRecords(records: Uint8Array, images: Uint8Array, labels: Uint8Array): void {
  const count = labels.length;
  if (records.length !== count * recordBytes || images.length !== count * imageBytes) {
    throw new DataError(
      `decode: ${count} labels want ${count * recordBytes} bytes of records and ${count * imageBytes} of images, ` +
        `but there are ${records.length} and ${images.length}.`,
    );
  }
  let to = 0;
  for (let n = 0; n < count; n++) {
    const from = n * recordBytes;
    labels[n] = records[from];
    for (let red = from + 1; red <= from + pixels; red++) {
      images[to] = records[red];
      images[to + 1] = records[red + pixels];
      images[to + 2] = records[red + 2 * pixels];
      to += 3;
    }
  }
}

/**
 * Writes images as records of the official binary layout, the inverse of {@link decodeRecords}.
 *
 * `images` is `[N,32,32,3]` and `labels` `[N]`.
 *
 * @throws DataError if images and labels do not fit each other.
 */
export function encodeRecords(images: Uint8Array, labels: Uint8Array): Buffer {
  const count = labels.length;
  if (images.length !== count * imageBytes) {
    throw new DataError(
      `encode: ${count} labels want images of ${count * imageBytes} bytes (32 x 32 x 3 each), ` +
        `but there are ${images.length}.`,
    );
  }
  const records = Buffer.allocUnsafe(count * recordBytes);
  let from = 0;
  for (let n = 0; n < count; n++) {
    const to = n * recordBytes;
    records[to] = labels[n];
    for (let red = to + 1; red <= to + pixels; red++) {
      records[red] = images[from];
      records[red + pixels] = images[from + 1];
      records[red + 2 * pixels] = images[from + 2];
      from += 3;
    }
  }
  return records;
}
