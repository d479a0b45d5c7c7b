import { scales } from '../catalogue/experiment';
import type { Scale } from '../catalogue/experiment';
import { durationText } from '../text/progress';
import { notebookScale } from './notebook-scale';

/** Thrown by an attempt, before its first step, if it would take too long. */
export class TooLong extends Error {
  readonly totalSec: number;

  constructor(totalSec: number) {
    super(`${totalSec} s are too long`);
    this.totalSec = totalSec;
  }
}

/**
 * Runs an attempt at the scale that is asked for, however long it takes; by default, at the largest scale up to that of
 * {@link notebookScale} that is short enough, or at the smallest.
 *
 * @param attempt runs at a scale, and throws {@link TooLong} if it would take longer than its limit
 * @param remark called with the reason why a scale was not used
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
        `${scale} scale would take ${durationText(error.totalSec)} here; the limit for a cell is ${durationText(limitSec)}. ` +
          `Using ${smaller} scale (set CIFAR10_FAST_SCALE=${scale} to override)`,
      );
      scale = smaller;
    }
  }
}
