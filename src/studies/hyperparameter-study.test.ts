import { describe, expect, test } from 'vitest';
import { ExperimentError, InterruptedError } from '../base/errors';
import {
  hyperparameterMap,
  hyperparameterSearch,
  hyperparameterTrial,
  mapSteps,
  ridgeOf,
  runHyperparameterTrial,
} from './hyperparameter-study';
import type { HyperparameterResult, HyperparameterTrial, MapAxis } from './hyperparameter-study';
import { scales } from '../catalogue/experiment';
import { noiseData } from '../../test/noise-data';

const data = noiseData(128, 64);
const axes: readonly MapAxis[] = ['momentum', 'weightDecay', 'batchSize'];

describe('hyperparameterTrial', () => {
  test('is an experiment with these hyperparameters, or those of demo at full scale', () => {
    const { experiment } = hyperparameterTrial('full');
    expect(experiment.optim).toMatchObject({ momentum: 0.9, weightDecay: 5e-4 });
    expect(experiment.optim.lr).toEqual({ knots: [0, 5, 24], vals: [0, 0.4, 0] });
    const {
      optim,
      data: about,
      ...rest
    } = hyperparameterTrial('pocket', {
      lr: 0.8,
      momentum: 0.5,
      weightDecay: 0.02,
      batchSize: 32,
    }).experiment;
    expect(Math.max(...optim.lr.vals)).toBe(0.8);
    expect(optim.lr.knots.at(-1)).toBeCloseTo(3, 9);
    expect([optim.momentum, optim.weightDecay, about.batchSize]).toEqual([0.5, 0.02, 32]);
    expect(rest.name).toBe('post5-trial-0.8-0.5-0.02-batch-32');
    expect(rest.scale).toBe('pocket');
  });

  test('rejects an invalid value', () => {
    expect(() => hyperparameterTrial('smoke', { momentum: 1 })).toThrow(ExperimentError);
  });
});

describe.each(scales)('at %s scale', (scale) => {
  test.each(axes)('the map against %s is a grid that includes the centre', (axis) => {
    const trials = hyperparameterMap(scale, axis);
    const middle = hyperparameterTrial(scale);
    const values = (key: keyof HyperparameterTrial): Set<unknown> =>
      new Set(trials.map((trial) => trial[key]));
    expect(trials).toHaveLength(values('lr').size * values(axis).size);
    expect(new Set(trials.map(({ experiment }) => experiment.name)).size).toBe(trials.length);
    expect(trials.map(({ experiment }) => experiment)).toContainEqual(middle.experiment);
    for (const other of axes.filter((name) => name !== axis)) {
      expect([...values(other)]).toEqual([middle[other]]);
    }
    // Batches must divide the images, and training must have steps.
    const images = middle.experiment.data.subset?.train ?? 50_000;
    for (const { batchSize, momentum } of trials) {
      expect(Number.isInteger(images / batchSize) || scale === 'full').toBe(true);
      expect(momentum).toBeGreaterThanOrEqual(0);
    }
  });

  test.each(axes)('the ridge runs through the map against %s', (axis) => {
    // The quantity that is constant along the ridge.
    const step = ({ lr, momentum, weightDecay, batchSize }: HyperparameterTrial): string =>
      ({
        momentum: lr / (1 - momentum),
        weightDecay: lr * weightDecay,
        batchSize: lr / batchSize,
      })[axis].toPrecision(4);
    const middle = step(hyperparameterTrial(scale));
    const ridge = hyperparameterMap(scale, axis).filter((trial) => step(trial) === middle);
    expect(ridge.length).toBeGreaterThanOrEqual(scale === 'smoke' ? 1 : 3);
  });
});

describe('ridges', () => {
  test('ridgeOf returns the constant of each ridge', () => {
    const at = { lr: 0.4, momentum: 0.75, weightDecay: 0.01, batchSize: 8 };
    expect(axes.map((axis) => ridgeOf(at, axis))).toEqual([1.6, 0.004, 0.05]);
  });

  test.each(axes)('against %s, a map that depends only on its ridge is flat along it', (axis) => {
    const results = hyperparameterMap('pocket', axis).map(
      ({ experiment: { name }, lr, momentum, weightDecay, batchSize }): HyperparameterResult => {
        const at = { lr, momentum, weightDecay, batchSize };
        // One percentage point for each doubling.
        const accPercent = Math.log2(ridgeOf(at, axis));
        const about = {
          scale: 'pocket',
          seed: 0,
          tuned: 'nothing',
          trainSec: 1,
          diverged: 0,
        } as const;
        return { ...at, ...about, name, accPercent };
      },
    );
    const { along, rate, other } = mapSteps(results, axis);
    expect(along).toBeCloseTo(0, 6);
    expect(rate).toBeCloseTo(2, 6);
    // The highest value of 1 - momentum is 1, 2.5 times the one before.
    expect(other).toBeCloseTo(axis === 'momentum' ? (2 + 2 + Math.log2(2.5)) / 3 : 2, 6);
    expect(mapSteps(results.slice(0, 1), axis)).toEqual({ along: 0, rate: 0, other: 0 });
  });
});

describe('hyperparameterSearch', () => {
  test('follows the search of the post at full scale, and returns the best', () => {
    const search = hyperparameterSearch('full');
    const rates: number[] = [];
    let at = search.next();
    while (at.done !== true) {
      rates.push(at.value.lr);
      const { lr, momentum, weightDecay } = at.value.experiment.optim;
      const from = [Math.max(...lr.vals) / 0.004, (1 - momentum) / 0.5, weightDecay / 0.01];
      at = search.next(-from.reduce((sum, part) => sum + Math.abs(Math.log2(part)), 0));
    }
    expect(rates.slice(0, 5)).toEqual([0.001, 0.0005, 0.002, 0.004, 0.008]);
    expect(at.value).toEqual({ lr: 0.004, momentum: 0.5, weightDecay: 0.01 });
  });

  test('ends after the maximum number of runs, even if accuracy still improves', () => {
    const search = hyperparameterSearch('smoke');
    let [at, count] = [search.next(), 0];
    while (at.done !== true) at = search.next(++count);
    expect(count).toBe(4);
    expect(at.value).toEqual({ lr: 0.002, momentum: 0.5, weightDecay: 0.01 });
  });
});

describe('runHyperparameterTrial', () => {
  test('trains and returns the test accuracy, determined by the seed', async () => {
    const estimates: number[] = [];
    const trial = hyperparameterTrial('smoke');
    const run = (seed: number): ReturnType<typeof runHyperparameterTrial> =>
      runHyperparameterTrial(trial, { data, seed, onStart: (seconds) => estimates.push(seconds) });
    const [first, again, other] = [await run(0), await run(0), await run(1)];
    expect(first).toMatchObject({ lr: 0.1, momentum: 0.9, batchSize: 32, scale: 'smoke', seed: 0 });
    expect(first.name).toBe(trial.experiment.name);
    expect(first.diverged).toBe(0);
    expect(first.trainSec).toBeGreaterThan(0);
    // A whole number of the 64 images.
    expect((first.accPercent * 64) / 100).toBeCloseTo(Math.round((first.accPercent * 64) / 100), 3);
    expect({ ...again, trainSec: 0 }).toEqual({ ...first, trainSec: 0 });
    expect(other.seed).toBe(1);
    expect(estimates).toHaveLength(3);
    expect(estimates[0]).toBeGreaterThan(0);
  });

  test('a run that diverges has chance accuracy', async () => {
    const trial = hyperparameterTrial('smoke', { lr: 1e30, weightDecay: 1e6 });
    expect(await runHyperparameterTrial(trial, { data })).toMatchObject({
      accPercent: 10,
      diverged: 1,
    });
  });

  test('stops on its signal', async () => {
    const stopped = { data, signal: AbortSignal.abort() };
    await expect(runHyperparameterTrial(hyperparameterTrial('smoke'), stopped)).rejects.toThrow(
      InterruptedError,
    );
  });
});
