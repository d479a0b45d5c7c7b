import { describe, expect, test } from 'vitest';
import { TrainError } from '../base/errors';
import { lookaheadAction } from '../optim/lookahead';
import { Pace, stepsIn } from './pace';

test.each([
  [1.1, 50, 55],
  [2.2, 5, 11],
  [1.11, 50, 56],
  [0.001, 50, 1],
  [24, 97, 2328],
])('%d epochs of %i steps are %i steps', (epochs, stepsPerEpoch, steps) => {
  expect(stepsIn(epochs, stepsPerEpoch)).toBe(steps);
});

describe('Pace', () => {
  test('without a change of pace, the position equals the number of steps', () => {
    const pace = new Pace(20);
    expect(pace.steps).toBe(20);
    expect([0, 7, 20].map((steps) => pace.positionAt(steps))).toEqual([0, 7, 20]);
  });

  test('a run that ends earlier passes through the rest of its schedule faster', () => {
    const pace = new Pace(20);
    pace.endAfter(15, 10);
    expect(pace.steps).toBe(15);
    expect([5, 10, 11, 15].map((steps) => pace.positionAt(steps))).toEqual([5, 10, 12, 20]);
    pace.endAfter(20, 12);
    expect(pace.steps).toBe(20);
    expect([11, 12, 16, 20].map((steps) => pace.positionAt(steps))).toEqual([12, 14, 17, 20]);
  });

  test('of two changes after the same step the last one counts, and another run can restore it', () => {
    const pace = new Pace(10);
    pace.endAfter(5, 0);
    pace.endAfter(20, 0);
    expect(pace.changes).toEqual([{ step: 0, position: 0, rate: 0.5 }]);
    const other = new Pace(10);
    other.restore(pace.changes);
    expect(other.steps).toBe(20);
  });

  test('a run cannot end in the past', () => {
    expect(() => new Pace(10).endAfter(4, 4)).toThrow(TrainError);
    expect(() => new Pace(10).endAfter(4.5, 4)).toThrow(
      /cannot end after 4.5 steps: 4 are already done/,
    );
  });

  test('a run whose schedule is over cannot be made longer, although its position is rounded to beyond the end', () => {
    const pace = new Pace(980);
    pace.endAfter(24, 1);
    expect(pace.positionAt(24)).toBe(980.0000000000001);
    expect(() => pace.endAfter(25, 24)).toThrow(
      /cannot end after 25 steps: its schedule is over after 24/,
    );
    const whole = new Pace(10);
    expect(() => whole.endAfter(12, 10)).toThrow(TrainError);
    expect([pace.steps, whole.steps]).toEqual([24, 10]);
  });

  test('a lookahead starts once and updates equally often at any pace', () => {
    const pace = new Pace(20);
    pace.endAfter(15, 10);
    const actions = Array.from({ length: 16 }, (_, step) =>
      lookaheadAction({ decay: 0.5, every: 4, from: 1.1 }, step, 10, (steps) =>
        pace.positionAt(steps),
      ),
    );
    // At positions 12 (the first from 11 on), 16 and 20.
    const others = [11, 13, 15];
    expect(others.map((step) => actions[step])).toEqual(['start', 'update', 'update']);
    expect(actions.filter((action) => action !== 'nothing')).toHaveLength(3);
  });
});
