import { AugmentError } from '../base/errors';

/**
 * The matrix `[to,from]`, row by row, that resamples a line of pixels linearly: output pixel i is a mean of the two input pixels
 * around its centre. Images are resampled by applying it to rows and columns.
 *
 * Pixel centres lie at i + 1/2, lines are continued beyond their ends by their last pixel, and there is no low-pass filter before
 * making images smaller: PyTorch's `interpolate(mode='bilinear')` with its defaults.
 *
 * @throws AugmentError unless both lengths are whole numbers from 1
 * @example linearResampling(4, 2) // 0.5 0.5 0 0, 0 0 0.5 0.5
 */
export function linearResampling(from: number, to: number): Float32Array {
  for (const length of [from, to]) {
    if (!Number.isInteger(length) || length < 1) {
      throw new AugmentError(
        `resample: ${from} to ${to} pixels; lengths are whole numbers of at least 1.`,
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
