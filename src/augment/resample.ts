import { AugmentError } from '../base/errors';

/**
 * The matrix `[to,from]`, row by row, that resamples a line of pixels linearly: output pixel i is a weighted mean of the two
 * input pixels around its centre. Images are resampled by applying it to rows and columns.
 *
 * Pixel centres lie at i + 1/2, the end pixels continue beyond the line, and there is no low-pass filter before downsampling:
 * PyTorch's `interpolate(mode='bilinear')` with its defaults.
 *
 * @throws AugmentError unless both lengths are whole numbers from 1
 * @example linearResampling(4, 2) // 0.5 0.5 0 0, 0 0 0.5 0.5
 */
export function linearResampling(from: number, to: number): Float32Array {
  for (const length of [from, to]) {
    if (!Number.isInteger(length) || length < 1) {
      throw new AugmentError(
        `resample: ${from} to ${to} pixels; expected whole numbers of at least 1.`,
      );
    }
  }
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const centre = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const left = Math.min(Math.floor(centre), Math.max(0, from - 2));
    const share = centre - left;
    matrix[i * from + left] += 1 - share;
    if (share > 0) matrix[i * from + left + 1] += share;
  }
  return matrix;
}

/**
 * Resamples square images `[N,H,H,C]` to `[N,to,to,C]` by {@link linearResampling} along rows and columns, in plain loops.
 *
 * @param shape of the images
 * @throws AugmentError unless they are square and fill the shape, and `to` is a whole number from 1
 */
export function resampled(
  images: ArrayLike<number>,
  [count, height, width, channels]: readonly [number, number, number, number],
  to: number,
): Float32Array {
  if (height !== width || images.length !== count * height * width * channels) {
    throw new AugmentError(
      `resample: ${images.length} values do not fill square images [${count},${height},${width},${channels}].`,
    );
  }
  const matrix = linearResampling(height, to);
  const out = new Float32Array(count * to * to * channels);
  // The few input pixels of a line that each output pixel averages.
  const taps = Array.from({ length: to }, (_, i) =>
    Array.from({ length: height }, (_, j) => [j, matrix[i * height + j]] as const).filter(
      ([, weight]) => weight > 0,
    ),
  );
  for (let i = 0; i < out.length; i++) {
    const [c, x] = [i % channels, Math.floor(i / channels) % to];
    const y = Math.floor(i / (channels * to)) % to;
    const n = Math.floor(i / (channels * to * to));
    for (const [row, a] of taps[y]) {
      for (const [column, b] of taps[x]) {
        out[i] += a * b * images[((n * height + row) * width + column) * channels + c];
      }
    }
  }
  return out;
}
