import { AugmentError } from '../base/errors';
import type { Image } from './window';

/** Mirrors left and right, or does not. */
export interface FlipLR {
  readonly kind: 'flip-lr';
}

/** Whether the image is mirrored. */
export interface Mirror {
  readonly flip: boolean;
}

/** `flipLR()` has two options, whatever the image. */
export function flipLR(): FlipLR {
  return { kind: 'flip-lr' };
}

/**
 * The image, mirrored along its rows where `flip` is true, as a new image; plain loops, the oracle of the device's
 * gather.
 *
 * @throws AugmentError if `flip` is neither true nor false.
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
