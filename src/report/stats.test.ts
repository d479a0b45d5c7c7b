import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReportError } from '../base/errors';
import { studentP, studentPower, studentT, summarise, summary, summaryText } from './stats';

describe('studentT', () => {
  // Published two-sided table: Abramowitz and Stegun, table 26.10, rounded to three decimals.
  const table: readonly (readonly [level: number, freedom: number, t: number])[] = [
    [0.95, 1, 12.706],
    [0.95, 2, 4.303],
    [0.95, 3, 3.182],
    [0.95, 4, 2.776],
    [0.95, 5, 2.571],
    [0.95, 9, 2.262],
    [0.95, 10, 2.228],
    [0.95, 29, 2.045],
    [0.95, 30, 2.042],
    [0.95, 60, 2.0],
    [0.95, 120, 1.98],
    [0.9, 1, 6.314],
    [0.9, 4, 2.132],
    [0.9, 20, 1.725],
    [0.99, 1, 63.657],
    [0.99, 2, 9.925],
    [0.99, 9, 3.25],
    [0.99, 30, 2.75],
    [0.999, 5, 6.869],
    [0.5, 7, 0.711],
  ];
  test.each(table)('level %f, %i degrees of freedom: %f', (level, freedom, t) => {
    expect(Math.abs(studentT(level, freedom) - t)).toBeLessThanOrEqual(0.00051);
  });

  test('approaches the normal distribution', () => {
    expect(studentT(0.95, 100_000)).toBeCloseTo(1.959964, 4);
  });

  test('matches the integral of the density between -t and t', () => {
    // With t = sqrt(n) tan(angle) the density is cos(angle)^(n - 1), up to a factor. Simpson's rule.
    const integral = (to: number, freedom: number): number => {
      const steps = 4000;
      let total = 0;
      for (let k = 0; k <= steps; k++) {
        const weight = k === 0 || k === steps ? 1 : k % 2 === 1 ? 4 : 2;
        total += weight * Math.cos((to * k) / steps) ** (freedom - 1);
      }
      return (total * to) / (3 * steps);
    };
    const cases = fc.tuple(
      fc.double({ min: 0.01, max: 0.999, noNaN: true }),
      fc.integer({ min: 1, max: 200 }),
    );
    fc.assert(
      fc.property(cases, ([level, freedom]) => {
        const angle = Math.atan(studentT(level, freedom) / Math.sqrt(freedom));
        const share = integral(angle, freedom) / integral(Math.PI / 2, freedom);
        expect(share).toBeCloseTo(level, 7);
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    [0, 4],
    [1, 4],
    [95, 4],
    [NaN, 4],
    [0.95, 0],
    [0.95, NaN],
  ])('refuses level %f with %f degrees', (level, freedom) => {
    expect(() => studentT(level, freedom)).toThrow(
      new ReportError(
        `studentT: level ${level}, ${freedom} degrees of freedom; expected a level between 0 and 1, such as 0.95, ` +
          'and a positive number of degrees.',
      ),
    );
  });
});

// Computed with SciPy 1.17.1: scipy.stats.t.ppf((1 + level) / 2, freedom), 2 * scipy.stats.t.sf(t, freedom) and, with c
// the critical value, scipy.stats.nct: 1 - cdf(c, freedom, noncentrality) + cdf(-c, freedom, noncentrality).
describe('against SciPy', () => {
  test.each([
    [0.95, 7.3, 2.345066736547703],
    [0.95, 2.5, 3.5746548420036817],
    [0.8, 1.2, 2.586717387950133],
    [0.99, 45.6, 2.6880280295138297],
    [0.95, 200_000, 1.959975845966768],
  ])('t of level %f, %f degrees', (level, freedom, t) => {
    expect(studentT(level, freedom) / t).toBeCloseTo(1, 4);
  });

  test.each([
    [0.1, 3, 0.9266523488008059],
    [2.5, 7.3, 0.03965023466560043],
    [-6, 1.2, 0.07700256929871019],
    [12, 4, 0.000276428548502973],
    [2, 250_000, 0.0455013437177403],
  ])('p of t %f, %f degrees', (t, freedom, p) => {
    expect(studentP(t, freedom) / p).toBeCloseTo(1, 4);
  });

  test.each([
    [2.8, 10, 0.95, 0.7138940486020398],
    [0.5, 3, 0.95, 0.06529427360910052],
    [2.8, 57.3, 0.95, 0.7860617634980309],
    [1, 200_000, 0.95, 0.17007386134137034],
    [3.6, 20, 0.99, 0.7648822611188376],
    // Beyond what scipy.stats.nct computes: its defining integral, by scipy.integrate.quad.
    [45, 1, 0.99, 0.52032742296608],
  ])('power %f errors away, %f degrees, level %f', (noncentrality, freedom, level, power) => {
    expect(studentPower(noncentrality, freedom, level)).toBeCloseTo(power, 3);
  });
});

describe('summarise', () => {
  test('four runs', () => {
    const result = summarise([0.9437, 0.9433, 0.9404, 0.9395]);
    expect(result).toMatchObject({ count: 4, min: 0.9395, max: 0.9437, reached: 3 });
    expect(result.mean).toBeCloseTo(0.941725, 12);
    expect(result.median).toBeCloseTo(0.94185, 12);
    // Squares of the deviations, in units of 1e-4: 19.75, 15.75, 13.25, 22.25.
    const sd = Math.sqrt((19.75 ** 2 + 15.75 ** 2 + 13.25 ** 2 + 22.25 ** 2) / 3) * 1e-4;
    expect(result.sd).toBeCloseTo(sd, 12);
    expect(result.interval?.low).toBeCloseTo(0.941725 - (3.182446 * sd) / 2, 9);
    expect(result.interval?.high).toBeCloseTo(0.941725 + (3.182446 * sd) / 2, 9);
  });

  test('with an odd number of runs, the median is the middle one', () => {
    expect(summarise([3, 1, 2], { target: null }).median).toBe(2);
  });

  test('a single run has no spread', () => {
    expect(summarise([0.95])).toEqual({
      count: 1,
      mean: 0.95,
      sd: null,
      min: 0.95,
      median: 0.95,
      max: 0.95,
      interval: null,
      reached: 1,
    });
  });

  test('the target: equal counts, also in float32; one example below does not', () => {
    const values = [0.94, Math.fround(0.94), 0.9399, 0.9401];
    expect(Math.fround(0.94)).toBeLessThan(0.94);
    expect(summarise(values).reached).toBe(3);
    expect(summarise(values, { target: 0.9401 }).reached).toBe(1);
    expect(summarise(values, { target: null }).reached).toBeNull();
  });

  test('the level sets the width of the interval', () => {
    const width = (level: number): number => {
      const { low, high } = summarise([1, 2, 3, 4, 5], { level }).interval ?? { low: 0, high: 0 };
      return high - low;
    };
    expect(width(0.99) / width(0.95)).toBeCloseTo(4.604095 / 2.776445, 6);
  });

  test('does not depend on order, and every figure is within its bounds', () => {
    const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2 });
    fc.assert(
      fc.property(values, (runs) => {
        const one = summarise(runs);
        const turned = summarise([...runs.slice(1), runs[0]]);
        expect({ ...turned, mean: 0, sd: 0, interval: 0 }).toEqual({
          ...one,
          mean: 0,
          sd: 0,
          interval: 0,
        });
        expect(turned.mean).toBeCloseTo(one.mean, 12);
        for (const middle of [one.median, one.mean]) {
          expect(middle).toBeGreaterThanOrEqual(one.min - 1e-15);
          expect(middle).toBeLessThanOrEqual(one.max + 1e-15);
        }
        expect(one.sd).toBeLessThanOrEqual((one.max - one.min) / Math.SQRT2 + 1e-15);
      }),
    );
  });

  test('rejects an empty list and NaN', () => {
    expect(() => summarise([])).toThrow(
      new ReportError('stats: no values to summarise. Finish at least one run.'),
    );
    expect(() => summarise([0.9, NaN])).toThrow(
      new ReportError(
        'stats: value 2 of 2 is NaN; expected finite numbers. Exclude that run, and report it.',
      ),
    );
  });
});

describe('summary', () => {
  const rows = [0.93, 0.94, 0.95].flatMap((acc, run) => [
    { run, epoch: 1, valid_acc: 0.5, train_time: 9 },
    { run, epoch: 2, valid_acc: acc, train_time: run },
  ]);

  test('takes the last epoch of every run', () => {
    const result = summary(rows, ['valid_acc', 'train_time']);
    expect([...result.keys()]).toEqual(['valid_acc', 'train_time']);
    expect(result.get('valid_acc')).toEqual(summarise([0.93, 0.94, 0.95]));
    expect(result.get('train_time')).toEqual(summarise([0, 1, 2], { target: null }));
    expect([...summary(rows)]).toEqual([['valid_acc', summarise([0.93, 0.94, 0.95])]]);
  });

  test('rejects a column that is missing or contains strings', () => {
    expect(() => summary(rows, ['valid_ac'])).toThrow(
      new ReportError(
        'summary: column "valid_ac" is missing. Nearest: "valid_acc". Name a column of numbers.',
      ),
    );
    expect(() => summary([{ epoch: 1, valid_acc: 'high' }])).toThrow('holds "high"');
    expect(() => summary([])).toThrow('no values to summarise');
  });

  test('as text', () => {
    const text = summaryText(summary(rows, ['valid_acc', 'train_time']));
    expect(text.split('\n')).toEqual([
      '                        n         mean           sd          min       median          max     95 % low    95 % high      >= 94 %',
      '   valid_acc            3       0.9400       0.0100       0.9300       0.9400       0.9500       0.9152       0.9648       2 of 3',
      '  train_time            3       1.0000       1.0000       0.0000       1.0000       2.0000      -1.4841       3.4841            -',
    ]);
    const single = summaryText(summary([rows[1]]), { target: null, level: 0.999 });
    expect(single.split('\n')[0]).toMatch(/ 99.9 % low {2}99.9 % high$/);
    expect(single.split('\n')[1].trim().split(/\s+/)).toEqual(
      'valid_acc 1 0.9300 - 0.9300 0.9300 0.9300 - -'.split(' '),
    );
  });
});
