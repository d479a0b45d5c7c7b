import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import type { Picture } from './picture';
import { mostPixels, refused } from './picture-format';

/**
 * Decodes a PNG, JPEG, WebP or GIF picture: its first frame, turned as its EXIF orientation says, in sRGB, on white, with
 * the upper 8 of 16 bits.
 *
 * @throws Error if a byte of a pixel is missing or damaged, or there are more than {@link mostPixels}
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  try {
    return await decode(bytes, 'warning');
  } catch (error) {
    // The bytes of the pixels are all there and right; cameras write such files.
    if (reasons(error).every((line) => harmless.test(line))) return decode(bytes, 'error');
    throw new Error(reasons(error).join('; '), { cause: error });
  }
}

const harmless = /extraneous bytes before marker|unknown JFIF revision/;

async function decode(bytes: Uint8Array, failOn: 'warning' | 'error'): Promise<Picture> {
  const { data, info } = await sharp(bytes, { failOn, limitInputPixels: mostPixels })
    .autoOrient()
    .flatten({ background: 'white' })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** The lines of an error of libvips, each once and without the names of its functions. */
function reasons(error: unknown): string[] {
  const lines = (error as Error).message.split('\n').map((line) => {
    return line
      .replace(/^Input buffer has corrupt header: ?|^Warning treated as error.*/, '')
      .replace(/^\w+: (?=.*[a-z])|^\w+_buffer: /i, '')
      .trim();
  });
  if (lines.includes('Input image exceeds pixel limit')) {
    return [`it has more than ${mostPixels.toLocaleString('en-US')} pixels`];
  }
  const found = [...new Set(lines)].filter((line) => line !== '');
  return found.length === 0 ? ['its header is damaged'] : found;
}

/**
 * The program of the process that decodes one picture: bytes of the file on standard input; width and height as uint32
 * and rows of RGB on standard output. Ends with {@link refused} and the reason on standard error if it cannot be decoded.
 */
async function main(): Promise<void> {
  sharp.cache(false);
  sharp.concurrency(1);
  // Whatever the first bytes claim, no other reader of libvips is reached.
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({
    operation: ['Png', 'Jpeg', 'Webp', 'Nsgif'].map((kind) => `VipsForeignLoad${kind}`),
  });
  try {
    const { width, height, data } = await decodePicture(await buffer(process.stdin));
    process.stdout.write(new Uint8Array(Uint32Array.of(width, height).buffer));
    process.stdout.write(data);
  } catch (error) {
    process.stderr.write((error as Error).message);
    process.exitCode = refused;
  }
}

if (require.main === module) void main();
