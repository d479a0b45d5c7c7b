import { DataError } from '../base/errors';
import { encodeRecords } from './decode';

const width = 1024;

/**
 * Converts a PNG that holds one image per row, 1024 pixels wide, to records of the official binary layout.
 *
 * The PNG must have a row for each of the `labels` `[N]`. Its header is checked before anything is decoded.
 *
 * @throws DataError if it is not a PNG, is damaged, or has the wrong size
 */
export async function decodePng(png: Uint8Array, labels: Uint8Array): Promise<Buffer> {
  // Loaded on demand: most processes read the binary files.
  const { default: sharp } = await import('sharp');
  let pixels: Buffer;
  try {
    const found = await sharp(png, { limitInputPixels: false }).metadata();
    if (found.format !== 'png') throw new Error(`it is in the format ${found.format}`);
    if (found.width !== width || found.height !== labels.length) {
      throw new Error(
        `it is ${found.width} x ${found.height}, expected ${width} x ${labels.length}: one image per row`,
      );
    }
    pixels = await sharp(png, { failOn: 'warning', ignoreIcc: true })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer();
  } catch (cause) {
    const reason = (cause as Error).message.split('\n').at(-1);
    throw new DataError(`png: it cannot be decoded (${reason}).`, { cause });
  }
  return encodeRecords(pixels, labels);
}

/** The size limit of a PNG of `count` images: four channels that do not compress. */
export function mostPngBytes(count: number): number {
  return Math.ceil(1.01 * count * (4 * width + 1)) + 2 ** 16;
}
