import { describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { channelDensities } from './densities';

/** `[count,3]`: N(0,1), N(2,0.5), and the constant 1. */
function sample(count: number): { shape: number[]; data: Float32Array } {
  const rng = createRng(0, 'densities');
  const data = new Float32Array(3 * count);
  for (let i = 0; i < count; i++) data.set([rng.normal(), 2 + 0.5 * rng.normal(), 1], 3 * i);
  return { shape: [count, 3], data };
}

const integral = (at: readonly number[], density: readonly number[]): number =>
  at.slice(1).reduce((sum, x, i) => sum + ((density[i] + density[i + 1]) / 2) * (x - at[i]), 0);

describe('channelDensities', () => {
  const values = sample(20_000);

  test('match the distributions that the values were drawn from', () => {
    const [unit, other, constant] = channelDensities(values, { domain: [-7, 7] });
    expect([unit.channel, other.channel, constant.channel]).toEqual([0, 1, 2]);
    for (const [{ at, density, mean }, centre, sd] of [
      [unit, 0, 1],
      [other, 2, 0.5],
    ] as const) {
      expect(mean).toBeCloseTo(centre, 1);
      expect(integral(at, density)).toBeCloseTo(1, 2);
      for (const [i, x] of at.entries()) {
        const exact = Math.exp(-0.5 * ((x - centre) / sd) ** 2) / (sd * Math.sqrt(2 * Math.PI));
        expect(Math.abs(density[i] - exact)).toBeLessThan(0.05 / sd);
      }
    }
    expect([constant.min, constant.max, constant.mean]).toEqual([1, 1, 1]);
    expect(integral(constant.at, constant.density)).toBeCloseTo(1, 2);
    expect(constant.at[0]).toBeGreaterThan(0.7);
  });

  test('are not blurred by a few outliers', () => {
    const rng = createRng(1, 'tails');
    const data = Float32Array.from(
      { length: 2000 },
      (_, i) => (i % 100 === 0 ? 500 : 1) * rng.normal(),
    );
    const [{ at, density }] = channelDensities({ shape: [2000, 1], data }, { domain: [-7, 7] });
    const peak = Math.max(...density);
    expect(Math.abs(at[density.indexOf(peak)])).toBeLessThan(1);
    expect(peak).toBeGreaterThan(0.35);
  });

  test('are cut off at the domain without being renormalised', () => {
    const [unit, other] = channelDensities(values, { domain: [-9, 0], channels: 2, points: 40 });
    expect(unit.at).toHaveLength(40);
    expect(unit.at.at(-1)).toBe(0);
    expect(integral(unit.at, unit.density)).toBeCloseTo(0.5, 1);
    expect(Math.max(...other.density)).toBeLessThan(0.01);
    const [beyond] = channelDensities(values, { domain: [90, 100], channels: 1 });
    expect(beyond).toMatchObject({ at: [], density: [] });
  });

  test('pool all values on request, and refuse an empty tensor', () => {
    const [pooled, ...rest] = channelDensities(values, { domain: [-7, 7], isPooled: true });
    expect(rest).toEqual([]);
    expect(pooled).toMatchObject({ channel: -1 });
    expect(pooled.mean).toBeCloseTo(1, 1);
    expect(integral(pooled.at, pooled.density)).toBeCloseTo(1, 2);
    const nothing = { shape: [0, 3], data: new Float32Array(0) };
    expect(() => channelDensities(nothing, { domain: [0, 1] })).toThrow(RangeError);
  });
});
