import { expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import { trainerOf } from '../runs/prepare';
import type { Examples } from '../train/training';
import { countRun } from './count-run';

const smoke = (name: string): ReturnType<typeof scaled> => scaled(findExperiment(name), 'smoke');

test('smaller images first take operations away from training, and none from the evaluation', () => {
  const [plain, small] = ['speedrun-without-sizes', 'fastest'].map((name) => countRun(smoke(name)));
  expect(small.evaluation).toBe(plain.evaluation);
  expect(small.train).toBeLessThan(0.9 * plain.train);
  expect(small.train).toBeGreaterThan(0.5 * plain.train);
});

test.each([256, 250, 100])('counts what a trainer of all %i test images counts', (valid) => {
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

test('views of the unsure quarter cost a quarter of six views, and the plain pass', () => {
  const [all, quarter] = ['airbench94-muon', 'speedrun-unsure'].map((name) =>
    countRun(smoke(name)),
  );
  // 1 + 6 / 4 passes in the place of 6; each batch of 64 has a whole quarter.
  expect(quarter.evaluation / all.evaluation).toBeCloseTo(2.5 / 6, 6);
  expect(quarter.train).toBe(all.train);
});
