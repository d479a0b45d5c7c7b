import { describe, expect, test } from 'vitest';
import { ExperimentError, InterruptedError } from '../base/errors';
import { createRng } from '../base/rng';
import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import { scales } from '../catalogue/experiment';
import type { Experiment } from '../catalogue/experiment';
import {
  averagedPoints,
  balancedStep,
  followExperiment,
  weightDecayStudy,
} from './weight-decay-study';
import type { FollowedPoint, FollowedRun } from './weight-decay-study';
import { noiseData } from '../../test/noise-data';

const data = noiseData(64, 16);

/** Shortened for tests: 8 steps. */
function small(record: Experiment): Experiment {
  const fewer = overridden(record, 'data.subset', { train: 64, valid: 16 });
  return overridden(overridden(fewer, 'data.batchSize', 16), 'run.epochs', 2);
}

const study = (changes = {}): Experiment => small(weightDecayStudy('smoke', changes));
const ofLayer = ({ points }: FollowedRun, name: string): FollowedRun['points'] =>
  points.filter(({ layer }) => layer === name);

describe('weightDecayStudy', () => {
  test.each(scales)('at %s scale, trains at one rate and at that scale', (scale) => {
    const record = weightDecayStudy(scale);
    expect(record.scale ?? 'full').toBe(scale);
    expect(record.optim.lr.vals).toHaveLength(1);
    const { momentum, weightDecay } = record.optim;
    const [lr] = record.optim.lr.vals;
    const steps =
      record.run.epochs * ((record.data.subset?.train ?? 50_000) / record.data.batchSize);
    // Long enough to approach equilibrium: the distance to it decays with this exponent.
    expect((2 * lr * weightDecay * steps) / (1 - momentum)).toBeGreaterThan(1.9);
  });

  test('applies the requested changes and nothing else', () => {
    const usual = weightDecayStudy('pocket');
    const { optim, data: about } = weightDecayStudy('pocket', {
      lr: 0.8,
      batchSize: 64,
      asIfScaledBy: 4,
    });
    expect(optim.lr.vals).toEqual([0.8]);
    expect(about.batchSize).toBe(64);
    expect(optim.weightDecay).toBe(usual.optim.weightDecay);
    expect(optim.groups).toEqual([{ includes: 'conv/', lrFactor: 16, weightDecayFactor: 1 / 16 }]);
    expect(usual.optim.groups).toEqual([]);
  });

  test('LARS matches post6-lars for the hyperparameters and the batch size of the study', () => {
    const { optim } = weightDecayStudy('full', { isLars: true });
    const record = findExperiment('post6-lars').optim;
    expect([optim.rule, optim.groups]).toEqual([record.rule, record.groups]);
    const half = weightDecayStudy('full', { isLars: true, batchSize: 256 }).optim.groups[0];
    expect(half.lrFactor).toBeCloseTo(record.groups[0].lrFactor / 2, 9);
  });

  test('rejects an invalid value', () => {
    expect(() => weightDecayStudy('smoke', { momentum: 1 })).toThrow(ExperimentError);
  });
});

describe('balancedStep', () => {
  test('is where decay and random orthogonal gradients keep the norm constant', () => {
    // A simulation: a high-dimensional vector with random gradients, inversely proportional to its norm.
    const hyper = { lr: 0.1, momentum: 0.5, weightDecay: 0.05 };
    const rng = createRng(0, 'push');
    const size = 1000;
    let w = Array.from({ length: size }, () => 10 * rng.normal());
    let v = w.map(() => 0);
    let [sum, count] = [0, 0];
    for (let step = 0; step < 1500; step++) {
      const push = w.map(() => rng.normal());
      const along = w.reduce((total, x, i) => total + x * push[i], 0) / Math.hypot(...w) ** 2;
      const side = push.map((x, i) => x - along * w[i]);
      const gradient = 30 / (Math.hypot(...side) * Math.hypot(...w));
      v = v.map((x, i) => 0.5 * x + gradient * side[i] + 0.05 * w[i]);
      if (step >= 750) {
        sum += (0.1 * gradient * Math.hypot(...side)) / (0.5 * Math.hypot(...w));
        count += 1;
      }
      w = w.map((x, i) => x - 0.1 * v[i]);
    }
    expect(sum / count / balancedStep(hyper)).toBeCloseTo(1, 1);
  });
});

describe('averagedPoints', () => {
  test('averages intervals layer by layer, each at its last step', () => {
    const point = (layer: string, step: number, norm: number): FollowedPoint => ({
      layer,
      path: `${layer}/conv/weight`,
      step,
      epoch: step / 4,
      norm,
      gradient: 2 * norm,
      movement: 0,
      cosine: 0,
      rate: 0.1,
      relativeStep: 0,
      relativeMovement: 3 * norm,
      effectiveRate: 0,
    });
    const points = [1, 2, 3, 4].flatMap((step) => [point('a', step, step), point('b', step, 10)]);
    expect(
      averagedPoints(points, 2).map(({ layer, epoch, norm, gradient, relativeMovement }) => [
        layer,
        epoch,
        norm,
        gradient,
        relativeMovement,
      ]),
    ).toEqual([
      ['a', 0.5, 1.5, 3, 4.5],
      ['b', 0.5, 10, 20, 30],
      ['a', 1, 3.5, 7, 10.5],
      ['b', 1, 10, 20, 30],
    ]);
  });
});

describe('followExperiment', () => {
  test('takes a fractional number of epochs', async () => {
    const run = await followExperiment(overridden(study(), 'run.epochs', 1.3), { data });
    // 1.3 epochs of 4 steps are 5.2, so the sixth step is the last.
    expect(ofLayer(run, 'layer2').map(({ epoch }) => epoch)).toEqual([
      0.25, 0.5, 0.75, 1, 1.25, 1.5,
    ]);
  });

  test('reports every layer at every step, and the figures derived from rate and momentum', async () => {
    const estimates: number[] = [];
    const run = await followExperiment(study(), {
      data,
      onStart: (seconds) => estimates.push(seconds),
    });
    expect(estimates).toHaveLength(1);
    expect(estimates[0]).toBeGreaterThan(0);
    expect(run.rows.map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect([...new Set(run.points.map(({ layer }) => layer))]).toEqual([
      'prep',
      'layer1',
      'layer1/residual/res1',
      'layer1/residual/res2',
      'layer2',
      'layer3',
      'layer3/residual/res1',
      'layer3/residual/res2',
      'linear',
    ]);
    const points = ofLayer(run, 'layer2');
    expect(points.map(({ epoch }) => epoch)).toEqual([0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]);
    for (const { norm, gradient, movement, ...point } of points) {
      expect(point.rate).toBe(0.2);
      expect(point.relativeStep).toBeCloseTo((0.2 * gradient) / (0.1 * norm), 6);
      expect(point.relativeMovement).toBeCloseTo(movement / norm, 6);
      expect(point.effectiveRate).toBeCloseTo(0.2 / norm ** 2, 6);
    }
  });

  test('weights with a larger norm and the matching rate and decay learn the same', async () => {
    const engine = { precision: 'fp32' } as const;
    const usual = await followExperiment(study(), { data, engine });
    const longer = await followExperiment(study({ asIfScaledBy: 2 }), {
      data,
      engine,
      startScale: 2,
    });
    const alone = await followExperiment(study(), { data, engine, startScale: 2 });
    const loss = ({ rows }: FollowedRun): number => rows[1].train.loss;
    // Except for the epsilon of batch norm.
    expect(Math.abs(loss(longer) / loss(usual) - 1)).toBeLessThan(0.01);
    const moves = (run: FollowedRun): number[] =>
      ofLayer(run, 'layer2').map(({ relativeMovement }) => relativeMovement);
    // The difference grows in later steps.
    for (const index of [0, 1]) {
      expect(Math.abs(moves(longer)[index] / moves(usual)[index] - 1)).toBeLessThan(0.02);
    }
    const [turned, twin] = [usual, longer].map((run) => ofLayer(run, 'layer2')[0]);
    expect(twin.rate).toBeCloseTo(4 * turned.rate, 9);
    expect(twin.relativeStep / turned.relativeStep).toBeCloseTo(1, 1);
    // At the old rate, weights with twice the norm rotate a quarter as far.
    expect(moves(alone)[0] / moves(usual)[0]).toBeLessThan(0.35);
    const [before, after] = [usual, longer].map((run) => ofLayer(run, 'layer2')[0]);
    expect(after.norm / before.norm).toBeCloseTo(2, 3);
    expect(after.gradient / before.gradient).toBeCloseTo(1 / 2, 2);
    expect(ofLayer(longer, 'linear')[0].norm).toBe(ofLayer(usual, 'linear')[0].norm);
  });

  test('LARS initially moves all channels of all convolutions by the same relative amount', async () => {
    const record = study({ isLars: true });
    const run = await followExperiment(record, { data, engine: { precision: 'fp32' } });
    const first = run.points.filter(({ step, layer }) => step === 1 && layer !== 'linear');
    const [{ relativeMovement }] = first;
    expect(relativeMovement).toBeGreaterThan(0);
    for (const point of first) {
      expect(Math.abs(point.relativeMovement / relativeMovement - 1)).toBeLessThan(0.1);
    }
  });

  test('stops on its signal', async () => {
    const signal = AbortSignal.abort();
    await expect(followExperiment(study(), { data, signal })).rejects.toThrow(InterruptedError);
  });
});
