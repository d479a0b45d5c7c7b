import { decode as decodeJpeg } from 'jpeg-js';
import { PNG } from 'pngjs';
import { ExportError } from '../base/errors';

/** A picture in rows of red, green and blue, 0..255. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `[height,width,3]` */
  readonly data: Uint8Array;
}

/** More pixels than this are refused: a small file may claim any number, and all of them would be held in memory. */
const mostPixels = 100e6;

/**
 * Reads a PNG or a JPEG picture. What is transparent is put on white; grey and palettes become colours.
 *
 * @param bytes of the file
 * @param name of the file, for errors
 * @throws ExportError if it is neither, damaged, or of more than 100 million pixels
 */
export function readPicture(bytes: Uint8Array, name: string): Picture {
  const kind = kindOf(bytes);
  if (kind === undefined) {
    const found = bytes.length === 0 ? 'empty' : 'neither a PNG nor a JPEG picture';
    throw new ExportError(`predict: ${name} is ${found}. Give a .png or a .jpg file.`);
  }
  try {
    if (kind === 'PNG') checkPngSize(bytes);
    const { width, height, data } =
      kind === 'PNG'
        ? PNG.sync.read(Buffer.from(bytes))
        : decodeJpeg(bytes, { useTArray: true, maxResolutionInMP: mostPixels / 1e6 });
    return { width, height, data: onWhite(data) };
  } catch (cause) {
    throw new ExportError(
      `predict: ${name} is no ${kind} picture that can be read: ${(cause as Error).message}. ` +
        'Save it again, or take another copy.',
      { cause },
    );
  }
}

function kindOf(bytes: Uint8Array): 'PNG' | 'JPEG' | undefined {
  const starts = (...magic: number[]): boolean => magic.every((byte, i) => bytes[i] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return 'PNG';
  return starts(0xff, 0xd8, 0xff) ? 'JPEG' : undefined;
}

/** The first chunk tells width and height. */
function checkPngSize(bytes: Uint8Array): void {
  if (bytes.length < 24) throw new Error('it ends within its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width * height > mostPixels) throw new Error(`it has ${width} x ${height} pixels`);
}

function onWhite(rgba: Uint8Array): Uint8Array {
  const out = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, o = 0; i < rgba.length; i += 4, o += 3) {
    const alpha = rgba[i + 3] / 255;
    for (let channel = 0; channel < 3; channel++) {
      out[o + channel] = Math.round(alpha * rgba[i + channel] + (1 - alpha) * 255);
    }
  }
  return out;
}

/**
 * The middle square of a picture, brought to `size` x `size` pixels: each is the mean of the area that it covers, parts of
 * pixels by their part. A picture of that size comes out as it is.
 *
 * @returns `[size,size,3]`, a new array
 */
export function resizeByArea({ width, height, data }: Picture, size = 32): Uint8Array {
  const side = Math.min(width, height);
  const [left, top] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  const cover = Array.from({ length: size }, (_, i) =>
    covered((i * side) / size, ((i + 1) * side) / size),
  );
  const out = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const sums = [0, 0, 0];
      let weight = 0;
      for (const [row, part] of cover[y]) {
        for (const [column, share] of cover[x]) {
          const from = ((top + row) * width + left + column) * 3;
          const by = part * share;
          weight += by;
          for (let channel = 0; channel < 3; channel++) sums[channel] += by * data[from + channel];
        }
      }
      for (let channel = 0; channel < 3; channel++) {
        out[(y * size + x) * 3 + channel] = Math.round(sums[channel] / weight);
      }
    }
  }
  return out;
}

/** The places that lie between two points, each with the part of it that does. */
function covered(from: number, to: number): (readonly [place: number, part: number])[] {
  const found: (readonly [number, number])[] = [];
  for (let place = Math.floor(from); place < to; place++) {
    const part = Math.min(to, place + 1) - Math.max(from, place);
    if (part > 1e-9) found.push([place, part]);
  }
  return found;
}

/** Pixels `[height,width,3]` as a PNG file. */
export function pngOf({ width, height, data }: Picture): Uint8Array {
  const png = new PNG({ width, height });
  for (let i = 0; i < width * height; i++) {
    png.data.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    png.data[4 * i + 3] = 255;
  }
  return PNG.sync.write(png);
}
