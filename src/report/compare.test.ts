import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReportError } from '../base/errors';
import { compare } from './compare';
import type { Observation } from './compare';
import { comparisonText } from './report-text';

const seeded = (values: readonly number[], from = 0): Observation[] =>
  values.map((value, index) => ({ seed: from + index, value }));

const first = [81.39, 81.26, 81.75, 81.5, 81.02];
const second = [81.1, 81.31, 81.22, 81.37, 80.95];

describe('with the same seeds', () => {
  test('pairs runs in any order', () => {
    const result = compare(seeded(first), seeded(second).toReversed());
    // scipy.stats.ttest_rel (SciPy 1.17.1) and its confidence_interval(0.95); the number of runs is the smallest n for which
    // the power by scipy.stats.nct reaches 0.8 (statsmodels 0.15.0, TTestPower().solve_power: 12.54).
    expect(result).toMatchObject({ test: 'paired', counts: [5, 5], freedom: 4, runsNeeded: 13 });
    expect(result.difference).toBeCloseTo(0.194, 12);
    expect(result.sd).toBeCloseTo(0.22423202269078496, 12);
    expect(result.t).toBeCloseTo(1.9345907084518577, 12);
    expect(result.p).toBeCloseTo(0.12515300444752994, 7);
    expect(result.interval?.low).toBeCloseTo(-0.08442082981955745, 7);
    expect(result.interval?.high).toBeCloseTo(0.472420829819557, 7);
  });

  test('a duplicate seed makes no pair', () => {
    const twice = [...seeded(second).slice(1), { seed: 4, value: 81 }];
    expect(compare(seeded(first), twice).test).toBe('welch');
  });
});

describe('without spread, nothing is certain', () => {
  const nothing = { sd: 0, interval: null, t: null, freedom: null, p: null, runsNeeded: null };

  test.each<readonly [what: string, a: Observation[], b: Observation[], difference: number]>([
    ['two equal pairs', seeded([94, 95]), seeded([93.5, 94.5]), 0.5],
    ['equal but for rounding', seeded([94.1, 94.3]), seeded([94, 94.2]), 0.1],
    ['the same runs', seeded(first), seeded(first), 0],
    ['two equal runs of other seeds', seeded([94, 94]), seeded([93, 93], 9), 1],
  ])('%s', (_, a, b, difference) => {
    const result = compare(a, b);
    expect(result).toMatchObject(nothing);
    expect(result.difference).toBeCloseTo(difference, 10);
    expect(comparisonText('a', 'b', result).split('\n').slice(1)).toEqual([
      'Cannot tell: there is no spread to judge it by. More runs are needed to say whether that is significant.',
    ]);
  });

  test('one series with spread is enough for a test', () => {
    expect(compare(seeded([94, 94]), seeded([93, 93.1], 9)).p).toBeGreaterThan(0);
  });
});

describe('with the same seeds, but Welch requested', () => {
  test('compares runs like those with different seeds', () => {
    const asked = compare(seeded(first), seeded(second), { test: 'welch' });
    expect(asked).toEqual(compare(seeded(first), seeded(second, 100)));
    expect(asked.test).toBe('welch');
  });
});

describe('with different seeds', () => {
  const seven = [94.1, 94.3, 94.0, 93.9, 94.25, 94.05, 94.12];
  const four = [93.9, 94.2, 93.7, 94.4];

  test('compares runs as two samples of unequal variance', () => {
    const result = compare(seeded(seven), seeded(four, 100));
    // scipy.stats.ttest_ind(equal_var=False), SciPy 1.17.1; the number of runs as above, with Welch's degrees of freedom.
    expect(result).toMatchObject({ test: 'welch', counts: [7, 4], runsNeeded: 327 });
    expect(result.t).toBeCloseTo(0.3221982907106968, 10);
    expect(result.freedom).toBeCloseTo(3.6967017021847375, 10);
    expect(result.p).toBeCloseTo(0.764690762577212, 7);
    expect(result.interval?.low).toBeCloseTo(-0.4177465536236738, 6);
    expect(result.interval?.high).toBeCloseTo(0.5234608393379161, 6);
    expect(result.sd).toBeCloseTo(0.2407181715102498, 10);
  });

  test('half a standard deviation takes 64 runs each, as in the textbooks', () => {
    // Cohen, Statistical Power Analysis (1988), table 2.4.1: d = .50, power .80, two-sided .05. statsmodels: 63.77.
    const spread = (mean: number): number[] => [mean - Math.SQRT1_2, mean + Math.SQRT1_2];
    expect(compare(seeded(spread(0.5)), seeded(spread(0), 9)).runsNeeded).toBe(64);
    expect(compare(seeded(spread(0.5)), seeded(spread(0), 9), { power: 0.9 }).runsNeeded).toBe(86);
  });

  test('a single run has no spread', () => {
    for (const runs of [seeded([94]), seeded([94], 7)]) {
      expect(compare(runs, seeded([93]))).toMatchObject({
        difference: 1,
        sd: null,
        interval: null,
        p: null,
        runsNeeded: null,
      });
    }
  });
});

test('swapping the series only changes signs', () => {
  const series = fc.array(fc.double({ min: 80, max: 95, noNaN: true }), {
    minLength: 2,
    maxLength: 8,
  });
  fc.assert(
    fc.property(series, series, (a, b) => {
      const [there, back] = [compare(seeded(a), seeded(b)), compare(seeded(b), seeded(a))];
      expect(back.difference).toBeCloseTo(-there.difference, 10);
      expect(back.runsNeeded).toBe(there.runsNeeded);
      fc.pre(there.p !== null);
      expect(back.p).toBeCloseTo(there.p, 10);
      expect(there.p).toBeGreaterThanOrEqual(0);
      expect(there.p).toBeLessThanOrEqual(1);
      // The interval excludes 0 exactly when the test is significant at its level.
      const { low = 0, high = 0 } = there.interval ?? {};
      const isOnTheEdge = Math.abs(there.p - 0.05) < 1e-6;
      expect(isOnTheEdge || (low > 0 || high < 0) === there.p < 0.05).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('rejects series that cannot be compared, and an invalid power', () => {
  expect(() => compare([], seeded([1]))).toThrow('no values to summarise');
  expect(() => compare(seeded([NaN]), seeded([1]))).toThrow('value 1 of 1 is NaN');
  expect(() => compare(seeded([1]), seeded([1]), { power: 80 })).toThrow(
    new ReportError(
      'compare: level 0.95, power 80; expected both between 0 and 1, such as 0.95 and 0.8.',
    ),
  );
});
