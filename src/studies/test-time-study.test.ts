import { expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { scaled } from '../catalogue/scale';
import { classes } from '../data/cifar10';
import type { Cifar10, Split } from '../data/cifar10';
import { createRng } from '../base/rng';
import { trainExperiment } from '../runs/train';
import { testTimeStudy } from './test-time-study';

/** Images of ten colours with noise, which a network of four channels learns quickly. */
function split(count: number, seed: number): Split {
  const rng = createRng(seed, 'colours');
  const labels = Uint8Array.from({ length: count }, (_, index) => index % 10);
  const images = new Uint8Array(count * 3072);
  for (const [index, label] of labels.entries()) {
    for (let i = 0; i < 3072; i++) {
      images[index * 3072 + i] = ((label * (1 + (i % 3)) * 23) % 256) / 2 + rng.integer(100);
    }
  }
  return { images, labels };
}

test("evaluates a trained network, and agrees with the run for the run's own test-time augmentation", async () => {
  const data: Cifar10 = { train: split(1024, 1), valid: split(512, 2), classes, source: 'test' };
  const experiment = scaled(findExperiment('fastest'), 'smoke');
  const run = await trainExperiment(experiment, { data, seed: 1 });
  const rows = await testTimeStudy(run, data);
  expect(rows.map(({ views }) => views)).toEqual([
    'the image',
    'image and mirror',
    'six-views-if-unsure',
    'six-views',
  ]);
  const own = rows.find(({ views }) => views === experiment.run.tta);
  expect(own?.accPercent).toBeCloseTo(run.result.accPercent, 4);
  expect(own?.loss).toBeCloseTo(run.result.loss ?? Number.NaN, 4);
  const [plain, mirror, unsure, six] = rows.map(({ tflop }) => tflop);
  expect(mirror / plain).toBeCloseTo(2, 9);
  expect(six / plain).toBeCloseTo(6, 9);
  expect(unsure / plain).toBeCloseTo(2.25, 2);
});
