import { ExperimentError } from '../base/errors';

/** What post 5 searches over. */
export interface Hyperparameters {
  /** The highest learning rate, for the mean loss of a batch. */
  readonly lr: number;
  /** What one step keeps of the velocity, from 0 to below 1. */
  readonly momentum: number;
  /** For the mean loss of a batch. */
  readonly weightDecay: number;
}

/** A setting that the search wants to know the accuracy of. */
export interface Trial extends Hyperparameters {
  /** The one of the three that is being tuned; absent for the setting that the search begins with. */
  readonly tuned?: keyof Hyperparameters;
}

type Direction = 'down' | 'up';

const order = ['lr', 'momentum', 'weightDecay'] as const;

/**
 * The search of post 5: one hyperparameter after the other, each halved or doubled (of momentum, 1 - momentum) for as long
 * as that helps, again and again until none does.
 *
 * While momentum or weight decay is tuned, the rate moves with it, so that rate times decay / (1 - momentum) stays: the
 * three directions are then nearly independent. A line search begins where the last one of that hyperparameter went, at first
 * downwards, and turns round if its first step does not help. It yields a setting, wants its accuracy for the next call
 * of `next`, and returns the best setting. The accuracy of a run that diverged is NaN.
 *
 * @throws ExperimentError at the end, if all runs diverged
 * @example
 * ```ts
 * const search = coordinateSearch({ lr: 0.1, momentum: 0.5, weightDecay: 0.01 });
 * let at = search.next(); // its value is the start; what is given to the first call is not read
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
      'coordinateSearch: no setting had an accuracy, so all of them diverged. Start with a lower rate.',
    );
  }
  return best;
}

/** A run that diverged, whose accuracy is NaN, is worse than every other; nothing compares with NaN. */
function comparable(acc: number): number {
  return Number.isNaN(acc) ? -Infinity : acc;
}

/** A step of a line search, the rate moving with the others; undefined where momentum would be negative. */
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
