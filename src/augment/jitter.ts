import { AugmentError } from '../base/errors';
import type { Rng } from '../base/rng';

/** Random brightness and contrast of whole images, on normalised pixels: (x + u1)(1 + u2), u1 and u2 uniform. */
export interface Jitter {
  /** u1 lies between -brightness and brightness, in standard deviations of the data set. */
  readonly brightness: number;
  /** u2 lies between -contrast and contrast. */
  readonly contrast: number;
}

/** The shift and scale of each image, `[N]` each. */
export interface JitterPlan {
  /** u1 */
  readonly shift: Float32Array;
  /** 1 + u2 */
  readonly scale: Float32Array;
}

/**
 * Draws the brightness and contrast of every example for one epoch, indexed by example.
 *
 * @throws AugmentError if brightness or contrast is negative or NaN, or contrast is 1 or more
 */
export function jitterPlan({ brightness, contrast }: Jitter, count: number, rng: Rng): JitterPlan {
  if (!(brightness >= 0) || !(contrast >= 0 && contrast < 1)) {
    throw new AugmentError(
      `jitter: brightness is ${brightness}, contrast ${contrast}. Give brightness from 0, and contrast from 0 and below 1.`,
    );
  }
  const uniform = (reach: number): Float32Array =>
    rng.fillUniform(new Float32Array(count), -reach, reach);
  const shift = uniform(brightness);
  return { shift, scale: uniform(contrast).map((u) => 1 + u) };
}
