import { PNG } from 'pngjs';

/** A picture in rows of red, green and blue, 0..255. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** `[height,width,3]` */
  readonly data: Uint8Array;
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
