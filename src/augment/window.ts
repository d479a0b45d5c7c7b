import { AugmentError } from '../base/errors';

/** Height and width of an image, in pixels. */
export type ImageShape = readonly [height: number, width: number];

/** One image of float32 values in rows, `[H,W,C]`. */
export interface Image {
  readonly data: Float32Array;
  readonly shape: readonly [height: number, width: number, channels: number];
}

/** The top left corner of a window, in pixels from the top left of the image. */
export interface Corner {
  readonly x0: number;
  readonly y0: number;
}

/** The window of a crop or a cutout: a rectangle that lies fully inside an image. */
export interface Window {
  readonly kind: 'crop' | 'cutout';
  readonly height: number;
  readonly width: number;
}

/** A window of at least one pixel. @throws AugmentError unless both sizes are whole numbers from 1. */
export function makeWindow<K extends Window['kind']>(
  kind: K,
  height: number,
  width: number,
): Window & { readonly kind: K } {
  if (!Number.isInteger(height) || !Number.isInteger(width) || height < 1 || width < 1) {
    throw new AugmentError(
      `${kind}: ${height} x ${width} is not a valid size. Give height and width in pixels, as in ${kind}(8, 8).`,
    );
  }
  return { kind, height, width };
}

/**
 * The number of positions of a window in an image, down and across.
 *
 * @throws AugmentError if the window is larger than the image.
 */
export function windowPlaces(
  { kind, height, width }: Window,
  [imageHeight, imageWidth]: ImageShape,
): readonly [down: number, across: number] {
  if (height > imageHeight || width > imageWidth) {
    throw new AugmentError(
      `${kind}: a window of ${height} x ${width} does not fit into an image of ` +
        `${imageHeight} x ${imageWidth}. ` +
        (kind === 'crop' ? 'Pad the image more, or crop less.' : 'Make the box smaller.'),
    );
  }
  return [imageHeight - height + 1, imageWidth - width + 1];
}

/** Every corner that a window can have in an image; x0 changes slowest, as in the reference. */
export function windowOptions(window: Window, shape: ImageShape): readonly Corner[] {
  const [down, across] = windowPlaces(window, shape);
  return Array.from({ length: across * down }, (_, option) => ({
    x0: Math.floor(option / down),
    y0: option % down,
  }));
}

/** @throws AugmentError unless the window at this corner lies fully inside the image. */
export function checkCorner(window: Window, shape: ImageShape, { x0, y0 }: Corner): void {
  const [down, across] = windowPlaces(window, shape);
  const isInside = (at: number, places: number): boolean =>
    Number.isInteger(at) && at >= 0 && at < places;
  if (!isInside(x0, across) || !isInside(y0, down)) {
    throw new AugmentError(
      `${window.kind}: a window of ${window.height} x ${window.width} at x0 ${x0}, y0 ${y0} does not fit ` +
        `into an image of ${shape[0]} x ${shape[1]}; expected x0 in 0..${across - 1}, y0 in 0..${down - 1}.`,
    );
  }
}
