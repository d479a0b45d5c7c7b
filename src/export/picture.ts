import { PNG } from 'pngjs';
import { middleSquare, resizeSquare } from './resize';

/** A picture in rows of red, green and blue, 0..255. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `[height,width,3]` */
  readonly data: Uint8Array;
}

/**
 * The centre square of a picture, resized to `size` x `size` pixels. Each pixel is the mean of the area it covers, with partly
 * covered pixels weighted by the covered fraction. A picture of that size is unchanged.
 *
 * @returns `[size,size,3]`, a new array
 */
export function resizeByArea({ width, height, data }: Picture, size = 32): Uint8Array {
  const { left, top, side } = middleSquare(width, height);
  return resizeSquare(side, size, (from) => ({
    data: data.subarray(((top + from) * width + left) * 3),
    rowLength: width * 3,
    channels: 3,
  }));
}

/** Encodes pixels `[height,width,3]` as a PNG file. */
export function pngOf({ width, height, data }: Picture): Uint8Array {
  const png = new PNG({ width, height });
  for (let i = 0; i < width * height; i++) {
    png.data.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    png.data[4 * i + 3] = 255;
  }
  return PNG.sync.write(png);
}
