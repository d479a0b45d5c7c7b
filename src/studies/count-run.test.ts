import { expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import { trainerOf } from '../runs/prepare';
import type { Examples } from '../train/training';
import { countRun } from './count-run';

const smoke = (name: string): ReturnType<typeof scaled> => scaled(findExperiment(name), 'smoke');

test('starting with smaller images saves operations in training and none in evaluation', () => {
  const [plain, small] = ['speedrun-without-sizes', 'speedrun-batch-1024'].map((name) =>
    countRun(smoke(name)),
  );
  expect(small.evaluation).toBe(plain.evaluation);
  expect(small.train).toBeLessThan(0.9 * plain.train);
  expect(small.train).toBeGreaterThan(0.5 * plain.train);
});

test.each([256, 250, 100])('counts the same as a trainer with all %i test images', (valid) => {
  const experiment = overridden(smoke('fastest'), 'data.subset', { train: 256, valid });
  const blank = (count: number): Examples => ({
    images: new Float32Array(count * 3072),
    labels: new Uint8Array(count),
  });
  const trainer = trainerOf(experiment, { train: blank(256), valid: blank(valid) }, 0);
  const expected = trainer.flops();
  trainer.dispose();
  expect(countRun(experiment)).toEqual(expected);
});

test('six views of the unsure quarter cost the plain pass plus a quarter of five views', () => {
  const [all, quarter] = ['airbench94-muon', 'speedrun-unsure'].map((name) =>
    countRun(smoke(name)),
  );
  // 1 + 5 / 4 passes instead of 6; a quarter of each batch of 64 is a whole number.
  expect(quarter.evaluation / all.evaluation).toBeCloseTo(2.25 / 6, 6);
  expect(quarter.train).toBe(all.train);
});
