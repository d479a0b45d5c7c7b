import { describe, expect, test } from 'vitest';
import { forgetfulness } from './forgetfulness';
import { scales } from '../catalogue/experiment';

describe('forgetfulness', () => {
  test.each(scales)('at %s scale, every run is unique, at that scale and at its rate', (scale) => {
    const trials = forgetfulness(scale);
    const names = trials.map(({ experiment }) => experiment.name);
    expect(new Set(names).size).toBe(trials.length);
    for (const { rate, experiment } of trials) {
      expect(experiment.scale ?? 'full').toBe(scale);
      expect(Math.max(...experiment.optim.lr.vals)).toBeCloseTo(rate, 12);
      expect(experiment.optim.lr.knots.at(-1)).toBeCloseTo(experiment.run.epochs, 9);
    }
  });

  test('covers both batch sizes, six rates and four kinds of data at full scale', () => {
    const trials = forgetfulness('full');
    expect(trials).toHaveLength(2 * 6 * 4);
    expect(trials[0].experiment.run.epochs).toBe(35);
    expect([...new Set(trials.map(({ batchSize }) => batchSize))]).toEqual([128, 512]);
  });

  test('"half" halves the images, and "as they are" turns off augmentation', () => {
    const at = (data: string): readonly (readonly [number | undefined, number])[] =>
      forgetfulness('pocket')
        .filter((trial) => trial.data === data)
        .map(({ experiment: { data: about } }) => [about.subset?.train, about.transforms.length]);
    const each = (...about: number[]): number[][] => [0.25, 1, 4, 8].map(() => about);
    expect(at('all, augmented')).toEqual(each(16_384, 2));
    expect(at('half, augmented')).toEqual(each(8_192, 2));
    expect(at('half, as they are')).toEqual(each(8_192, 0));
  });
});
