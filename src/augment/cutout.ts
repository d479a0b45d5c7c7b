import { checkCorner, type Corner, type Image, makeWindow } from './window';

/** Blanks a box of `height` x `width` pixels. */
export interface Cutout {
  readonly kind: 'cutout';
  readonly height: number;
  readonly width: number;
}

/** `cutout(8, 8)` has 625 options for an image of 32 x 32. @throws AugmentError unless both are whole numbers from 1. */
export function cutout(height: number, width: number): Cutout {
  return makeWindow('cutout', height, width);
}

/**
 * A copy of the image with 0.0 in the box, the mean colour if the image is normalised. Plain loops, the oracle for the
 * device's gather.
 *
 * @throws AugmentError if the box does not lie fully inside the image.
 * @see DeVries and Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, arXiv:1708.04552
 *   (2017), which centres the box anywhere and clips it; the reference keeps it fully inside, and so do we.
 */
export function applyCutout(transform: Cutout, image: Image, corner: Corner): Image {
  const [height, width, channels] = image.shape;
  checkCorner(transform, [height, width], corner);
  const data = image.data.slice();
  for (let y = corner.y0; y < corner.y0 + transform.height; y++) {
    for (let x = corner.x0; x < corner.x0 + transform.width; x++) {
      for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = 0;
    }
  }
  return { data, shape: image.shape };
}
