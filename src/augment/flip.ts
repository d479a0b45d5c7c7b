import { AugmentError } from '../base/errors';
import type { Rng } from '../base/rng';
import type { Image } from './window';

/** Mirrors the image left to right, or leaves it unchanged. */
export interface FlipLR {
  readonly kind: 'flip-lr';
  /** Mirrors each image every second epoch, a random half of them in the first. Default: mirrors at random. */
  readonly isAlternating?: boolean;
}

/** Whether the image is mirrored. */
export interface Mirror {
  readonly flip: boolean;
}

/** `flipLR()` has two options for every image. */
export function flipLR({ isAlternating = false }: Omit<FlipLR, 'kind'> = {}): FlipLR {
  return { kind: 'flip-lr', ...(isAlternating ? { isAlternating } : {}) };
}

/**
 * Which of `count` images are mirrored in an epoch when flips alternate: 1 or 0 each. Random flips show an image the same way
 * in two consecutive epochs half of the time; alternating flips never do.
 *
 * @param epoch counts from 1
 * @param rng the same in every epoch, as `createRng(seed, 'flip')`: it draws the images mirrored in the first epoch
 * @see Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, arXiv:2404.00498 (2024), section 3.6
 */
export function alternatingFlips(count: number, epoch: number, rng: Rng): Int32Array {
  const isOdd = (epoch - 1) % 2;
  return Int32Array.from({ length: count }, () => rng.integer(2) ^ isOdd);
}

/**
 * A copy of the image, mirrored along its rows if `flip` is true. Plain loops, the oracle for the device's gather.
 *
 * @throws AugmentError if `flip` is not a boolean.
 */
export function applyFlipLR(image: Image, { flip }: Mirror): Image {
  if (typeof flip !== 'boolean') {
    throw new AugmentError(`flip-lr: the option's flip is ${String(flip)}; give true or false.`);
  }
  const [height, width, channels] = image.shape;
  const data = new Float32Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = flip ? width - 1 - x : x;
      for (let c = 0; c < channels; c++) {
        data[(y * width + x) * channels + c] = image.data[(y * width + from) * channels + c];
      }
    }
  }
  return { data, shape: image.shape };
}
