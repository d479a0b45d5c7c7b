import { scales } from '../catalogue/experiment';
import type { Scale } from '../catalogue/experiment';
import { durationText } from '../text/progress';
import { notebookScale } from './notebook-scale';

/** Thrown out of an attempt, before its first step, if it would take too long. */
export class TooLong extends Error {
  readonly totalSec: number;

  constructor(totalSec: number) {
    super(`${totalSec} s are too long`);
    this.totalSec = totalSec;
  }
}

/**
 * Does something in the size that is asked for, whatever it takes, or else, from the one that suits the machine downwards, in
 * one that is short enough.
 *
 * @param attempt does it in a size, and throws {@link TooLong} if it would take longer than it is given
 * @param remark told why a size was not taken
 */
export async function withinLimit<T>(
  asked: Scale | undefined,
  limitSec: number,
  attempt: (scale: Scale, limitSec: number) => Promise<T>,
  remark: (text: string) => void,
): Promise<T> {
  let scale = asked ?? notebookScale();
  for (;;) {
    const smaller = scales[scales.indexOf(scale) - 1];
    const isLast = asked !== undefined || smaller === undefined;
    try {
      return await attempt(scale, isLast ? Infinity : limitSec);
    } catch (error) {
      if (!(error instanceof TooLong)) throw error;
      remark(
        `${scale} size would take ${durationText(error.totalSec)} here, a cell takes ${durationText(limitSec)} at most: ` +
          `${smaller} size instead (CIFAR10_FAST_SCALE=${scale} asks for the other)`,
      );
      scale = smaller;
    }
  }
}
