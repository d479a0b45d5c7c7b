import { AugmentError } from '../base/errors';
import { applyCrop, type Crop } from './crop';
import { applyCutout, type Cutout } from './cutout';
import { applyFlipLR, type FlipLR, type Mirror } from './flip';
import { type Corner, type Image, type ImageShape, windowOptions, windowPlaces } from './window';

/** An augmentation as plain data: what can be done to an image. A plan chooses among its options. */
export type Transform = Crop | FlipLR | Cutout;

/** The option type of a transform: a corner or, for a flip, whether to mirror. */
export type OptionOf<T extends Transform> = T extends FlipLR ? Mirror : Corner;

/**
 * Every option of a transform for images of a shape, in the order of the reference: x0 changes slowest, then y0; for a
 * flip, true comes first.
 *
 * @throws AugmentError if a crop or cutout is larger than the image.
 * @example options(crop(32, 32), [40, 40]).length // 81
 */
export function options<T extends Transform>(
  transform: T,
  shape: ImageShape,
): readonly OptionOf<T>[] {
  const found: readonly (Corner | Mirror)[] =
    transform.kind === 'flip-lr'
      ? [{ flip: true }, { flip: false }]
      : windowOptions(transform, shape);
  return found as readonly OptionOf<T>[];
}

/**
 * Transforms one image `[H,W,C]` by one option into a new image: the slow oracle for the device's index arithmetic.
 *
 * @throws AugmentError if the option is not one of the transform's options for this image.
 */
export function apply<T extends Transform>(transform: T, image: Image, option: OptionOf<T>): Image {
  switch (transform.kind) {
    case 'crop':
      return applyCrop(transform, image, option as Corner);
    case 'flip-lr':
      return applyFlipLR(image, option as Mirror);
    case 'cutout':
      return applyCutout(transform, image, option as Corner);
    default:
      return transform satisfies never;
  }
}

const kinds: readonly Transform['kind'][] = ['crop', 'flip-lr', 'cutout'];

/**
 * The shape of images after a list of transforms.
 *
 * The list holds each kind at most once, in the order crop, flip, cutout. A gather from tables supports no other order: a
 * box cut before the crop could lie half outside.
 *
 * @throws AugmentError if a kind is repeated or out of order, or if one is larger than the image that reaches it.
 */
export function outputShape(transforms: readonly Transform[], imageShape: ImageShape): ImageShape {
  let shape = imageShape;
  let last = -1;
  for (const transform of transforms) {
    const place = kinds.indexOf(transform.kind);
    if (place <= last) {
      throw new AugmentError(
        `augment: the list is ${transforms.map(({ kind }) => kind).join(', ')}. ` +
          `Give each kind at most once, in the order ${kinds.join(', ')}.`,
      );
    }
    last = place;
    if (transform.kind !== 'flip-lr') windowPlaces(transform, shape);
    if (transform.kind === 'crop') shape = [transform.height, transform.width];
  }
  return shape;
}
