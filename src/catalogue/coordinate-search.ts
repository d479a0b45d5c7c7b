import { ExperimentError } from '../base/errors';

/** The hyperparameters that post 5 searches over. */
export interface Hyperparameters {
  /** The peak learning rate, for the mean loss of a batch. */
  readonly lr: number;
  /** The share of the velocity that one step keeps, from 0 to below 1. */
  readonly momentum: number;
  /** For the mean loss of a batch. */
  readonly weightDecay: number;
}

/** A setting that the search wants to evaluate. */
export interface Trial extends Hyperparameters {
  /** The hyperparameter that is being tuned; absent for the initial setting. */
  readonly tuned?: keyof Hyperparameters;
}

type Direction = 'down' | 'up';

const order = ['lr', 'momentum', 'weightDecay'] as const;

/**
 * The search of post 5: tunes one hyperparameter after the other, halving or doubling it (for momentum, 1 - momentum) as long
 * as accuracy improves, until no hyperparameter improves it.
 *
 * While momentum or weight decay is tuned, the learning rate changes with it, so that rate * decay / (1 - momentum) is constant;
 * this makes the three directions nearly independent. A line search starts in the last successful direction of its
 * hyperparameter, at first downwards, and reverses if its first step does not help. The generator yields a setting, expects its
 * accuracy in the next call of `next`, and returns the best setting. The accuracy of a run that diverged is NaN.
 *
 * @throws ExperimentError at the end, if all runs diverged
 * @example
 * ```ts
 * const search = coordinateSearch({ lr: 0.1, momentum: 0.5, weightDecay: 0.01 });
 * let at = search.next(); // its value is the start; the argument of the first call is ignored
 * while (at.done !== true) at = search.next(await accuracyOf(at.value));
 * ```
 */
export function* coordinateSearch(
  start: Hyperparameters,
): Generator<Trial, Hyperparameters, number> {
  let best = start;
  let bestAcc = comparable(yield start);
  const directions = new Map<keyof Hyperparameters, Direction>();
  for (let [turn, sinceGain] = [0, 0]; sinceGain < order.length; turn++) {
    const tuned = order[turn % order.length];
    const first = directions.get(tuned) ?? 'down';
    sinceGain += 1;
    for (const direction of [first, first === 'down' ? 'up' : 'down'] as const) {
      let isBetter = false;
      for (;;) {
        const next = moved(best, tuned, direction);
        if (next === undefined) break;
        const acc = comparable(yield { ...next, tuned });
        if (!(acc > bestAcc)) break;
        [best, bestAcc, isBetter] = [next, acc, true];
      }
      if (!isBetter) continue;
      directions.set(tuned, direction);
      sinceGain = 1;
      break;
    }
  }
  if (bestAcc === -Infinity) {
    throw new ExperimentError(
      'coordinateSearch: all settings diverged. Start with a lower learning rate.',
    );
  }
  return best;
}

/** Ranks a run that diverged, whose accuracy is NaN, below all others, because comparisons with NaN are false. */
function comparable(acc: number): number {
  return Number.isNaN(acc) ? -Infinity : acc;
}

/** A step of a line search, with the learning rate adapted to it; undefined if momentum would become negative. */
function moved(
  { lr, momentum, weightDecay }: Hyperparameters,
  tuned: keyof Hyperparameters,
  direction: Direction,
): Hyperparameters | undefined {
  const factor = direction === 'up' ? 2 : 0.5;
  switch (tuned) {
    case 'lr':
      return { lr: lr * factor, momentum, weightDecay };
    case 'momentum': {
      const fresh = (1 - momentum) / factor;
      if (fresh > 1) return undefined;
      return { lr: lr / factor, momentum: 1 - fresh, weightDecay };
    }
    case 'weightDecay':
      return { lr: lr / factor, momentum, weightDecay: weightDecay * factor };
    default:
      return tuned satisfies never;
  }
}
