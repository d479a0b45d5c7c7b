import { expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { profileExperiment, publishedProfile } from './step-profile';
import { scaled } from '../catalogue/scale';

const sumAt = (
  rows: readonly { readonly batchSize: number; readonly epochSec: number }[],
  batchSize: number,
): number => rows.reduce((sum, row) => sum + (row.batchSize === batchSize ? row.epochSec : 0), 0);

test("times an experiment's step at each batch size, and its parts add up to an epoch", async () => {
  const measured: number[] = [];
  const { times, rows } = await profileExperiment(
    scaled(findExperiment('post4-backbone'), 'smoke'),
    [8, 16],
    {
      repeats: 1,
      onBatch: (batchSize) => void measured.push(batchSize),
    },
  );
  expect(measured).toEqual([8, 16]);
  expect(times.map(({ batchSize }) => batchSize)).toEqual([8, 16]);
  expect(rows.map(({ part }) => part).slice(0, 5)).toEqual([
    'convolutions',
    'batch norm',
    'relu',
    'optimiser',
    'data',
  ]);
  for (const { batchSize, stepSec } of times) {
    expect(sumAt(rows, batchSize)).toBeCloseTo((stepSec * 50_000) / batchSize, 6);
  }
});

test('the published profile adds up to the totals of the post', () => {
  const totals = [128, 256, 512, 1024].map((batchSize) => {
    const fast = publishedProfile.filter(({ part }) => part !== 'slow batch norm');
    return [sumAt(publishedProfile, batchSize), sumAt(fast, batchSize)];
  });
  // 5.29 and 4.02 + 2.55 + 0.36 + 0.07 + 0.14: the post rounds both its individual figures and its totals.
  const expected = [
    [8.28, 6.96],
    [7.47, 5.9],
    [7.14, 5.29],
    [6.91, 4.92],
  ];
  for (const [index, [slow, fast]] of totals.entries()) {
    expect(Math.abs(slow - expected[index][0])).toBeLessThan(0.011);
    expect(Math.abs(fast - expected[index][1])).toBeLessThan(0.011);
  }
});
