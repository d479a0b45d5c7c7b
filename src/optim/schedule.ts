import { OptimError } from '../base/errors';

/**
 * A piecewise-linear function of time, as data: linear between the knots, constant before the first and after the last.
 * One knot makes a constant.
 */
export interface Schedule {
  /** Times at which the value is given, ascending; in epochs, unless stated otherwise. */
  readonly knots: readonly number[];
  /** The values at those times. */
  readonly vals: readonly number[];
}

/**
 * Makes a piecewise-linear schedule.
 *
 * @throws OptimError unless there are as many values as knots, at least one, all finite, and the knots ascend
 * @example
 * ```ts
 * const lr = piecewiseLinear([0, 5, 24], [0, 0.4, 0]);
 * valueAt(lr, 2.5); // 0.2
 * ```
 */
export function piecewiseLinear(knots: readonly number[], vals: readonly number[]): Schedule {
  if (knots.length === 0 || knots.length !== vals.length) {
    throw new OptimError(
      `schedule: ${knots.length} knots and ${vals.length} values; give one value for each knot, and at least one.`,
    );
  }
  const bad = [...knots, ...vals].find((x) => !Number.isFinite(x));
  if (bad !== undefined) {
    throw new OptimError(`schedule: knots and values must be finite; got ${bad}.`);
  }
  const fault = knots.findIndex((knot, index) => index > 0 && knot <= knots[index - 1]);
  if (fault > 0) {
    throw new OptimError(
      `schedule: knots must ascend, but ${knots[fault]} follows ${knots[fault - 1]}. Sort them and remove duplicates.`,
    );
  }
  return { knots, vals };
}

/** A schedule that is `value` at all times. */
export function constant(value: number): Schedule {
  return piecewiseLinear([0], [value]);
}

/** The schedule's value at a time; exact at a knot. */
export function valueAt({ knots, vals }: Schedule, time: number): number {
  const next = knots.findIndex((knot) => knot >= time);
  if (next === -1) return vals[vals.length - 1];
  // Interpolation could miss the value at a knot by its last bit.
  if (next === 0 || knots[next] === time) return vals[next];
  const slope = (vals[next] - vals[next - 1]) / (knots[next] - knots[next - 1]);
  return vals[next - 1] + slope * (time - knots[next - 1]);
}

/** The same schedule with every time multiplied by `factor`. */
export function stretch({ knots, vals }: Schedule, factor: number): Schedule {
  return piecewiseLinear(
    knots.map((knot) => knot * factor),
    vals,
  );
}
