import { checkCorner, type Corner, type Image, makeWindow } from './window';

/** Takes a window of `height` x `width` pixels out of the image. */
export interface Crop {
  readonly kind: 'crop';
  readonly height: number;
  readonly width: number;
}

/** `crop(32, 32)` has 81 options for an image of 40 x 40. @throws AugmentError unless both are whole numbers from 1. */
export function crop(height: number, width: number): Crop {
  return makeWindow('crop', height, width);
}

/**
 * The pixels `[y0 : y0 + height, x0 : x0 + width]` as a new image. Plain loops, the oracle for the device's gather.
 *
 * @throws AugmentError if the window does not lie fully inside the image.
 */
export function applyCrop(transform: Crop, image: Image, corner: Corner): Image {
  const [imageHeight, imageWidth, channels] = image.shape;
  checkCorner(transform, [imageHeight, imageWidth], corner);
  const { height, width } = transform;
  const data = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++) {
        data[(y * width + x) * channels + c] =
          image.data[((corner.y0 + y) * imageWidth + corner.x0 + x) * channels + c];
      }
    }
  }
  return { data, shape: [height, width, channels] };
}
