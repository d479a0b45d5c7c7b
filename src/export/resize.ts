/** Rows of pixels, 0..255. A pixel is `channels` bytes and starts with red, green and blue. */
export interface PixelRows {
  /** Starts at the first pixel of the first row. */
  readonly data: ArrayLike<number>;
  /** Bytes from one row to the next. */
  readonly rowLength: number;
  readonly channels: number;
}

/** The position of a square in a picture, in pixels. */
export interface Square {
  readonly left: number;
  readonly top: number;
  readonly side: number;
}

/** The largest centred square of a picture: the crop that a network sees. */
export function middleSquare(width: number, height: number): Square {
  const side = Math.min(width, height);
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side };
}

/**
 * Resizes a square of `side` pixels to `size` x `size`. Each pixel is the rounded mean of the area it covers, with partly
 * covered pixels weighted by the covered fraction. A square of that size is unchanged.
 *
 * `predict` and the page of `cifar10-fast page` both call it, so the network sees the same bytes in both. This file imports
 * nothing: it is bundled for browsers.
 *
 * @param read returns rows `from` up to `to` of the square. It is called once for each row of the result, so that a picture
 *   too large for one canvas is read in bands.
 * @returns `[size,size,3]`, a new array
 */
export function resizeSquare(
  side: number,
  size: number,
  read: (from: number, to: number) => PixelRows,
): Uint8Array {
  const cover = Array.from({ length: size }, (_, i) =>
    covered((i * side) / size, ((i + 1) * side) / size),
  );
  const out = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const first = cover[y][0][0];
    const { data, rowLength, channels } = read(first, cover[y][cover[y].length - 1][0] + 1);
    for (let x = 0; x < size; x++) {
      const sums = [0, 0, 0];
      let weight = 0;
      for (const [row, part] of cover[y]) {
        for (const [column, share] of cover[x]) {
          const from = (row - first) * rowLength + column * channels;
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

/** The pixels between two coordinates, each with the fraction of it that lies between them. */
function covered(from: number, to: number): (readonly [place: number, part: number])[] {
  const found: (readonly [number, number])[] = [];
  for (let place = Math.floor(from); place < to; place++) {
    const part = Math.min(to, place + 1) - Math.max(from, place);
    if (part > 1e-9) found.push([place, part]);
  }
  return found;
}
