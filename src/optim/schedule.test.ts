import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptimError } from '../base/errors';
import { constant, piecewiseLinear, stretch, valueAt } from './schedule';
import type { Schedule } from './schedule';

const finite = fc.double({ min: -1e6, max: 1e6, noNaN: true });

/** Any schedule: up to six knots, ascending. */
const schedules: fc.Arbitrary<Schedule> = fc
  .uniqueArray(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 6 })
  .chain((knots) => {
    const ascending = knots.map((knot) => knot / 8);
    ascending.sort((a, b) => a - b);
    return fc
      .array(finite, { minLength: knots.length, maxLength: knots.length })
      .map((vals) => piecewiseLinear(ascending, vals));
  });

describe('valueAt', () => {
  test('hits every knot exactly', () => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        expect(schedule.knots.map((knot) => valueAt(schedule, knot))).toEqual(schedule.vals);
      }),
    );
  });

  test('is constant before the first and after the last knot', () => {
    fc.assert(
      fc.property(schedules, fc.double({ min: 0, noNaN: true }), (schedule, beyond) => {
        const { knots, vals } = schedule;
        expect(valueAt(schedule, knots[0] - beyond)).toBe(vals[0]);
        expect(valueAt(schedule, knots[knots.length - 1] + beyond)).toBe(vals[vals.length - 1]);
      }),
    );
  });

  test('is linear between two knots', () => {
    fc.assert(
      fc.property(
        schedules.filter(({ knots }) => knots.length > 1),
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (schedule, pick, share) => {
          const { knots, vals } = schedule;
          const at = pick % (knots.length - 1);
          const time = knots[at] + share * (knots[at + 1] - knots[at]);
          const exact = (time - knots[at]) / (knots[at + 1] - knots[at]);
          const expected = (1 - exact) * vals[at] + exact * vals[at + 1];
          const scale = Math.max(1, Math.abs(vals[at]), Math.abs(vals[at + 1]));
          expect(Math.abs(valueAt(schedule, time) - expected) / scale).toBeLessThan(1e-12);
        },
      ),
    );
  });

  test('the schedule of the demo, with values computed by hand', () => {
    const lr = piecewiseLinear([0, 5, 24], [0, 0.4, 0]);
    const times = [0, 1, 2.5, 5, 14.5, 24, 30];
    for (const [index, value] of [0, 0.08, 0.2, 0.4, 0.2, 0, 0].entries()) {
      expect(valueAt(lr, times[index])).toBeCloseTo(value, 14);
    }
  });
});

test('stretch multiplies the times and keeps the values', () => {
  fc.assert(
    fc.property(schedules, fc.constantFrom(0.5, 2, 97), (schedule, factor) => {
      const stretched = stretch(schedule, factor);
      for (const knot of schedule.knots) {
        expect(valueAt(stretched, knot * factor)).toBe(valueAt(schedule, knot));
      }
      expect(stretched.vals).toEqual(schedule.vals);
    }),
  );
});

test('constant has the same value at all times', () => {
  expect([-1e9, 0, 3.5, 1e9].map((time) => valueAt(constant(0.1), time))).toEqual([
    0.1, 0.1, 0.1, 0.1,
  ]);
});

test.each([
  [[], [], /0 knots and 0 values/],
  [[0, 1], [0], /2 knots and 1 values/],
  [[0, 2, 2], [0, 1, 2], /2 follows 2/],
  [[0, 3, 2], [0, 1, 2], /2 follows 3/],
  [[0, NaN], [0, 1], /got NaN/],
  [[0, 1], [0, Infinity], /got Infinity/],
])('refuses knots %j with values %j', (knots, vals, message) => {
  expect(() => piecewiseLinear(knots, vals)).toThrow(OptimError);
  expect(() => piecewiseLinear(knots, vals)).toThrow(message);
});
