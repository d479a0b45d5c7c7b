import { describe, expect, test } from 'vitest';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import { jitterPlan } from './jitter';

describe('jitterPlan', () => {
  test('draws shift and scale of each image independently, from their whole ranges', () => {
    const { shift, scale } = jitterPlan(
      { brightness: 0.1399, contrast: 0.1308 },
      5000,
      createRng(1),
    );
    expect([shift.length, scale.length]).toEqual([5000, 5000]);
    for (const [values, centre, reach] of [
      [shift, 0, 0.1399],
      [scale, 1, 0.1308],
    ] as const) {
      const off = Array.from(values, (value) => value - centre);
      const [least, most] = [Math.min(...off), Math.max(...off)];
      // The tolerance is float32 rounding around 1.
      expect(most).toBeLessThanOrEqual(reach + 1e-7);
      expect(least).toBeGreaterThanOrEqual(-reach - 1e-7);
      expect(Math.min(most, -least)).toBeGreaterThan(0.99 * reach);
      const square = off.reduce((sum, x) => sum + x * x, 0) / off.length;
      expect(Math.sqrt(square) / (reach / Math.sqrt(3))).toBeCloseTo(1, 1);
    }
    const product = shift.reduce((sum, x, image) => sum + x * (scale[image] - 1), 0) / 5000;
    expect(Math.abs(product)).toBeLessThan((0.1 * 0.1399 * 0.1308) / 3);
  });

  test('leaves images unchanged if brightness and contrast are 0', () => {
    expect(jitterPlan({ brightness: 0, contrast: 0 }, 3, createRng(1))).toEqual({
      shift: new Float32Array(3),
      scale: new Float32Array(3).fill(1),
    });
  });

  test.each([
    [-0.1, 0],
    [0, 1],
    [0, -0.1],
    [NaN, 0],
    [0, NaN],
  ])('refuses brightness %d with contrast %d', (brightness, contrast) => {
    const drawn = (): unknown => jitterPlan({ brightness, contrast }, 3, createRng(1));
    expect(drawn).toThrow(AugmentError);
    expect(drawn).toThrow(`brightness is ${brightness}, contrast ${contrast}`);
  });
});
