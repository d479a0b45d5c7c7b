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
 * `images` is `[N,32,32,3]` and `labels` `[N]`, both overwritten in full; `records` holds `N` records.
 *
 * @throws DataError if the three sizes do not match.
 */
export function decodeRecords(records: Uint8Array, images: Uint8Array, labels: Uint8Array): void {
  const count = labels.length;
  if (records.length !== count * recordBytes || images.length !== count * imageBytes) {
    throw new DataError(
      `decode: ${count} labels need ${count * recordBytes} bytes of records and ${count * imageBytes} of images; ` +
        `got ${records.length} and ${images.length}.`,
    );
  }
  // Word by word, more than twice as fast as byte by byte.
  const planes = new Uint8Array(imageBytes);
  const image = new Uint8Array(imageBytes);
  const planeWords = new Uint32Array(planes.buffer);
  const imageWords = new Uint32Array(image.buffer);
  for (let n = 0; n < count; n++) {
    const from = n * recordBytes;
    labels[n] = records[from];
    planes.set(records.subarray(from + 1, from + recordBytes));
    interleave(planeWords, imageWords);
    images.set(image, n * imageBytes);
  }
}

/**
 * Interleaves the planes R, G and B of an image into pixels, four at a time. Words are little-endian, as on every
 * processor that TensorFlow is built for.
 */
function interleave(planes: Uint32Array, image: Uint32Array): void {
  let to = 0;
  for (let at = 0; at < pixels / 4; at++) {
    const r = planes[at];
    const g = planes[at + pixels / 4];
    const b = planes[at + pixels / 2];
    image[to] = (r & 0xff) | ((g & 0xff) << 8) | ((b & 0xff) << 16) | ((r & 0xff00) << 16);
    image[to + 1] = ((g >>> 8) & 0xff) | (b & 0xff00) | (r & 0xff0000) | ((g & 0xff0000) << 8);
    image[to + 2] =
      ((b >>> 16) & 0xff) | ((r >>> 16) & 0xff00) | ((g >>> 8) & 0xff0000) | (b & 0xff000000);
    to += 3;
  }
}

/**
 * Writes images as records of the official binary layout, the inverse of {@link decodeRecords}.
 *
 * `images` is `[N,32,32,3]` and `labels` `[N]`.
 *
 * @throws DataError if the sizes of images and labels do not match.
 */
export function encodeRecords(images: Uint8Array, labels: Uint8Array): Buffer {
  const count = labels.length;
  if (images.length !== count * imageBytes) {
    throw new DataError(
      `encode: ${count} labels need images of ${count * imageBytes} bytes (32 x 32 x 3 each); ` +
        `got ${images.length}.`,
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
