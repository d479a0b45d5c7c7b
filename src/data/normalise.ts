import { DataError } from '../base/errors';
import type { Split } from './cifar10';

/** One number per channel, in the order red, green, blue. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** Mean of the training images by channel, on the scale 0..255: (0.4914, 0.4822, 0.4465) x 255. */
export const mean: Rgb = [125.31, 122.95, 113.87];

/** Standard deviation of the training images by channel, on the scale 0..255: (0.2471, 0.2435, 0.2616) x 255. */
export const std: Rgb = [62.99, 62.09, 66.7];

/**
 * `(x - mean) / std` by channel, as float32.
 *
 * A byte has 256 values, so the 3 x 256 results are computed once, in float64, and looked up. `images` is
 * `[...,3]`, channels last; the result has the same shape.
 *
 * @throws DataError if the length is not a multiple of 3.
 */
export function normalise(
  images: Uint8Array,
  by: { mean: Rgb; std: Rgb } = { mean, std },
): Float32Array {
  checkChannels('normalise', images.length);
  const [red, green, blue] = [0, 1, 2].map((channel) => {
    return Float32Array.from({ length: 256 }, (_, x) => (x - by.mean[channel]) / by.std[channel]);
  });
  const out = new Float32Array(images.length);
  for (let i = 0; i < images.length; i += 3) {
    out[i] = red[images[i]];
    out[i + 1] = green[images[i + 1]];
    out[i + 2] = blue[images[i + 2]];
  }
  return out;
}

/**
 * A split ready for training: images `[N,32,32,3]` normalised into a new array by {@link normalise}, labels `[N]`
 * unchanged.
 *
 * @throws DataError if the images' length is not a multiple of 3.
 */
export function normaliseSplit({ images, labels }: Split): {
  readonly images: Float32Array;
  readonly labels: Uint8Array;
} {
  return { images: normalise(images), labels };
}

/**
 * `x * std + mean` by channel: `[...,3]` back to the scale 0..255, for plots.
 *
 * Neither rounds nor clamps, so `unnormalise(normalise(x))` is `x` up to float32 rounding; `Uint8ClampedArray.from` does
 * both.
 *
 * @throws DataError if the length is not a multiple of 3.
 */
export function unnormalise(
  images: Float32Array,
  by: { mean: Rgb; std: Rgb } = { mean, std },
): Float32Array {
  checkChannels('unnormalise', images.length);
  const out = new Float32Array(images.length);
  for (let i = 0; i < images.length; i += 3) {
    for (let channel = 0; channel < 3; channel++) {
      out[i + channel] = images[i + channel] * by.std[channel] + by.mean[channel];
    }
  }
  return out;
}

/**
 * Adds a border of `border` pixels on every side by mirroring; the edge pixel itself is not repeated (`dcb|abcd|cba`).
 *
 * `images` is `[N,size,size,3]`, of bytes or of floats; the result is a new array of the same kind,
 * `[N,size+2*border,size+2*border,3]`.
 *
 * @throws DataError if the length is not a whole number of images, or the border is not smaller than the image.
 */
export function reflectPad<T extends Uint8Array | Float32Array>(
  images: T,
  border: number,
  size = 32,
): T {
  const count = images.length / (size * size * 3);
  if (!Number.isInteger(count)) {
    throw new DataError(
      `reflectPad: ${images.length} values are not a whole number of images [${size},${size},3].`,
    );
  }
  if (!Number.isInteger(border) || border < 0 || border >= size) {
    throw new DataError(
      `reflectPad: the border of an image of ${size} x ${size} cannot be ${border} pixels. ` +
        `Give a whole number from 0 to ${size - 1}.`,
    );
  }
  const padded = size + 2 * border;
  const rowLength = padded * 3;
  const out = new (images.constructor as new (length: number) => T)(count * padded * rowLength);
  for (let n = 0; n < count; n++) {
    for (let y = 0; y < padded; y++) {
      const from = (n * size + mirror(y - border, size)) * size * 3;
      const to = (n * padded + y) * rowLength;
      out.set(images.subarray(from, from + size * 3), to + border * 3);
      for (let x = 0; x < border; x++) {
        const left = from + (border - x) * 3;
        const right = from + (size - 2 - x) * 3;
        for (let channel = 0; channel < 3; channel++) {
          out[to + x * 3 + channel] = images[left + channel];
          out[to + (border + size + x) * 3 + channel] = images[right + channel];
        }
      }
    }
  }
  return out;
}

/** The index in 0..size-1 that reflection at both edges maps `i` to. */
function mirror(i: number, size: number): number {
  const inside = Math.abs(i);
  return inside < size ? inside : 2 * (size - 1) - inside;
}

function checkChannels(name: string, length: number): void {
  if (length % 3 !== 0) {
    throw new DataError(
      `${name}: ${length} values are not a multiple of 3, the number of channels.`,
    );
  }
}
