import { describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { overridden, parseOverride } from '../catalogue/override';
import type { Experiment } from '../catalogue/experiment';
import { checkDuration, checkFeasible } from './feasible';

const split = (count: number): { images: Uint8Array; labels: Uint8Array } => ({
  images: new Uint8Array(0),
  labels: new Uint8Array(count),
});
const data = { train: split(50_000), valid: split(10_000) };
const memory = 24 * 2 ** 30;

function changed(...changes: string[]): Experiment {
  return changes.map(parseOverride).reduce((experiment, { path, value }) => {
    return overridden(experiment, path, value);
  }, findExperiment('demo'));
}

describe('checkFeasible', () => {
  test('accepts an unchanged experiment', () => {
    expect(() => checkFeasible(changed(), data, memory)).not.toThrow();
  });

  test.each([
    [
      ['net.channels.prep=100000'],
      /^run: demo has [\d,]+ parameters and needs at least [\d.,]+ GiB of memory; this machine has 24 GiB\./,
    ],
    [
      ['data.subset={"train":1000000000,"valid":10}'],
      /^run: data\.subset\.train is 1,000,000,000, but there are only 50,000 images\./,
    ],
    [
      ['run.epochs=1000000000'],
      /^run: 1,000,000,000 epochs of 50,000 images in batches of 512 are [\d,]+ steps; the limit is 100,000,000\./,
    ],
  ])('refuses %j', (changes, message) => {
    const check = (): void => checkFeasible(changed(...changes), data, memory);
    expect(check).toThrow(RunError);
    expect(check).toThrow(message);
  });
});

test('checkDuration refuses more than a year and names the duration', () => {
  expect(() => checkDuration(300 * 24 * 3600)).not.toThrow();
  expect(() => checkDuration(620_398 * 3600)).toThrow(/about 71 years\. Lower run\.epochs/);
  expect(() => checkDuration(620_398 * 3600, 'Give a shorter --budget.')).toThrow(
    /years\. Give a shorter --budget\.$/,
  );
});
