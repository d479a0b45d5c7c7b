import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import type { Picture } from './picture';
import { mostPixels, refused } from './picture-format';

/**
 * Decodes the first frame of a PNG, JPEG, WebP or GIF picture: rotated by its EXIF orientation, in sRGB, on white, with the
 * upper 8 of 16 bits.
 *
 * @throws Error if pixel data is missing or damaged, or there are more than {@link mostPixels} pixels
 */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  try {
    return await decode(bytes, 'warning');
  } catch (error) {
    // The pixel data is complete and intact; cameras write such files.
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

/** The distinct lines of a libvips error, without the names of its functions. */
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
 * The program of the process that decodes one picture. It reads the file from standard input and writes width and height as
 * uint32, then rows of RGB, to standard output. If decoding fails, it exits with {@link refused} and writes the reason to
 * standard error.
 */
async function main(): Promise<void> {
  sharp.cache(false);
  sharp.concurrency(1);
  // No other libvips loader can run, whatever the first bytes claim.
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
