import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { coordinateSearch } from './coordinate-search';
import type { Hyperparameters, Trial } from './coordinate-search';

/** Runs a search to its end and returns all of its trials and the result. */
function searched(
  start: Hyperparameters,
  accuracyOf: (trial: Trial) => number,
): { readonly trials: readonly Trial[]; readonly best: Hyperparameters } {
  const search = coordinateSearch(start);
  const trials: Trial[] = [];
  let at = search.next();
  while (at.done !== true) {
    trials.push(at.value);
    at = search.next(accuracyOf(at.value));
  }
  return { trials, best: at.value };
}

const product = ({ lr, momentum, weightDecay }: Hyperparameters): number =>
  (lr * weightDecay) / (1 - momentum);

/** The number of doublings from one value to another. */
const octaves = (from: number, to: number): number => Math.log2(to / from);

describe('coordinate search', () => {
  test('reverses if the first step is worse, continues while accuracy improves', () => {
    const { trials, best } = searched(
      { lr: 1, momentum: 0.5, weightDecay: 1 },
      ({ lr, momentum, weightDecay }) =>
        -Math.abs(octaves(2, lr)) - (momentum === 0.5 && weightDecay === 1 ? 0 : 10),
    );
    expect(trials).toEqual([
      { lr: 1, momentum: 0.5, weightDecay: 1 },
      { lr: 0.5, momentum: 0.5, weightDecay: 1, tuned: 'lr' },
      { lr: 2, momentum: 0.5, weightDecay: 1, tuned: 'lr' },
      { lr: 4, momentum: 0.5, weightDecay: 1, tuned: 'lr' },
      { lr: 4, momentum: 0, weightDecay: 1, tuned: 'momentum' },
      { lr: 1, momentum: 0.75, weightDecay: 1, tuned: 'momentum' },
      { lr: 4, momentum: 0.5, weightDecay: 0.5, tuned: 'weightDecay' },
      { lr: 1, momentum: 0.5, weightDecay: 2, tuned: 'weightDecay' },
    ]);
    expect(best).toEqual({ lr: 2, momentum: 0.5, weightDecay: 1 });
  });

  test('a diverged first run is not the best', () => {
    const { best } = searched({ lr: 8, momentum: 0.5, weightDecay: 1 }, ({ lr }) =>
      lr > 4 ? NaN : -Math.abs(octaves(1, lr)),
    );
    expect(best.lr).toBe(1);
  });

  test('is an error if all runs diverge', () => {
    expect(() => searched({ lr: 8, momentum: 0.5, weightDecay: 1 }, () => NaN)).toThrow(
      'coordinateSearch: all settings diverged',
    );
  });

  test('momentum is never negative', () => {
    const { trials } = searched(
      { lr: 1, momentum: 0, weightDecay: 1 },
      ({ momentum }) => -momentum,
    );
    expect(trials.map(({ momentum }) => momentum)).toEqual([0, 0, 0, 0.5, 0, 0]);
  });

  test('only a line search of the learning rate changes rate * decay / (1 - momentum)', () => {
    const power = fc.integer({ min: -6, max: 6 });
    fc.assert(
      fc.property(power, fc.integer({ min: 0, max: 5 }), power, (lr, ease, decay) => {
        const peak = (trial: Hyperparameters): number =>
          -Math.abs(octaves(2 ** lr, product(trial))) -
          Math.abs(octaves(2 ** -ease, 1 - trial.momentum)) -
          Math.abs(octaves(2 ** decay, trial.weightDecay));
        const start = { lr: 1, momentum: 0.5, weightDecay: 1 };
        const { trials, best } = searched(start, peak);
        for (const [index, trial] of trials.entries()) {
          if (trial.tuned === 'lr' || index === 0) continue;
          const before = trials.slice(0, index).map(product);
          expect(before).toContain(product(trial));
        }
        // The objective has a single peak along the search axes, which the search finds.
        expect(product(best)).toBe(2 ** lr);
        expect(best.momentum).toBe(1 - 2 ** -ease);
        expect(best.weightDecay).toBe(2 ** decay);
      }),
    );
  });
});
