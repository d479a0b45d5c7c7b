/** Rows of pixels, 0..255. A pixel is `channels` bytes, of which red, green and blue are the first. */
export interface PixelRows {
  /** Starts with the first row's first pixel. */
  readonly data: ArrayLike<number>;
  /** Bytes from one row to the next. */
  readonly rowLength: number;
  readonly channels: number;
}

/** Where the middle square of a picture lies, in pixels. */
export interface Square {
  readonly left: number;
  readonly top: number;
  readonly side: number;
}

/** The largest square in the middle of a picture: what a network is shown of it. */
export function middleSquare(width: number, height: number): Square {
  const side = Math.min(width, height);
  return { left: Math.floor((width - side) / 2), top: Math.floor((height - side) / 2), side };
}

/**
 * A square of `side` pixels brought to `size` x `size`: each pixel is the mean of the area that it covers, parts of pixels by
 * their part, rounded. A square of that size comes out as it is.
 *
 * `predict` and the page of `cifar10-fast page` both call it, so both show a network the same bytes of the same pixels. It
 * imports nothing: it is bundled for browsers.
 *
 * @param read rows `from` up to `to` of the square; it is called once for each row of the result, so a picture too large
 *   for one canvas is read in bands
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

/** The places that lie between two points, each with the part of it that does. */
function covered(from: number, to: number): (readonly [place: number, part: number])[] {
  const found: (readonly [number, number])[] = [];
  for (let place = Math.floor(from); place < to; place++) {
    const part = Math.min(to, place + 1) - Math.max(from, place);
    if (part > 1e-9) found.push([place, part]);
  }
  return found;
}
