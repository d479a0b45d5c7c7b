import { beforeAll, describe, expect, test } from 'vitest';
import { TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import type { SessionMode } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import { relu } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { crossEntropyLoss } from '../nn/loss';
import type { AnyLayer, HostVariables } from '../nn/network';
import { maxPool } from '../nn/pool';
import { createTrainer } from '../train/trainer';
import type { Training } from '../train/training';
import { followWeights } from './weight-dynamics';
import type { WeightPoint } from './weight-dynamics';

beforeAll(() => {
  loadTensorflow();
});

const side = 8;

function examples(count: number, seed: number): Training['train'] {
  const rng = createRng(seed, 'examples');
  const images = rng.fillUniform(new Float32Array(count * side * side * 3), -1, 1);
  return { images, labels: Array.from({ length: count }, () => rng.integer(3)) };
}

const graph = build<AnyLayer>({
  prep: { conv: conv(3, 4), norm: batchNorm(4), act: relu() },
  pool: maxPool(side),
  flatten: flatten(),
  linear: linear(4, 3),
});

const training: Training = {
  model: { graph, loss: build<AnyLayer>(crossEntropyLoss()) },
  train: examples(8, 1),
  valid: examples(4, 2),
  imageShape: [side, side, 3],
  batchSize: 4,
  epochs: 2,
  lr: { knots: [0], vals: [0.1] },
  weightDecay: 0.5,
  momentum: 0,
  optimiser: { rule: 'nesterov-b', groups: [] },
  seed: 1,
};

interface Followed {
  readonly points: readonly WeightPoint[];
  /** Weights before the first step and after each epoch. */
  readonly weights: readonly HostVariables[];
}

/** Two epochs of two steps. */
async function follow(
  mode: SessionMode,
  steps: number,
  changes: Partial<Training> = {},
): Promise<Followed> {
  const dynamics = followWeights(graph, steps);
  const trainer = createTrainer({
    ...training,
    ...changes,
    ...dynamics.training,
    engine: { mode },
  });
  try {
    const weights = [(await trainer.session.read('network')).network];
    for (const epoch of [1, 2]) {
      await trainer.runEpoch(epoch);
      weights.push((await trainer.session.read('network')).network);
    }
    const { extra } = await trainer.session.read('extra');
    return { points: dynamics.read(extra), weights };
  } finally {
    trainer.dispose();
  }
}

const length = (values: Iterable<number>): number => Math.hypot(...values);
const difference = (a: HostVariables, b: HostVariables, path: string): number =>
  length([...a[path].data].map((value, index) => value - b[path].data[index]));

describe.each(['eager', 'captured'] as const)('%s', (mode) => {
  test('follows norm, gradient and movement of each layer with weights, step by step', async () => {
    // One step per epoch, so that the weights before and after each are known.
    const whole = { batchSize: 8 };
    const { points, weights } = await follow(mode, 2, whole);
    expect(points.map(({ step, layer }) => [step, layer])).toEqual([
      [1, 'prep'],
      [1, 'linear'],
      [2, 'prep'],
      [2, 'linear'],
    ]);
    for (const { step, layer, norm, gradient, movement, cosine } of points) {
      const path = layer === 'prep' ? 'prep/conv/weight' : 'linear/weight';
      const [before, after] = [weights[step - 1], weights[step]];
      expect(norm).toBeCloseTo(length(before[path].data), 5);
      expect(movement).toBeCloseTo(difference(after, before, path), 5);
      // Without momentum a step is -lr (g + wd w): its length follows from the three numbers.
      const both = gradient ** 2 + (0.5 * norm) ** 2 + 2 * cosine * gradient * 0.5 * norm;
      expect(movement).toBeCloseTo(0.1 * Math.sqrt(both), 5);
    }
  });

  test('gradients are orthogonal to weights before a batch norm, but not to those of the last layer', async () => {
    const { points } = await follow(mode, 4);
    const cosines = (layer: string): number[] =>
      points.filter((point) => point.layer === layer).map(({ cosine }) => Math.abs(cosine));
    expect(Math.max(...cosines('prep'))).toBeLessThan(1e-3);
    expect(Math.max(...cosines('linear'))).toBeGreaterThan(0.01);
  });

  test('the trained weights are bit-identical to those of a plain trainer', async () => {
    const trainer = createTrainer({ ...training, engine: { mode } });
    for (const epoch of [1, 2]) await trainer.runEpoch(epoch);
    const { network } = await trainer.session.read('network');
    trainer.dispose();
    expect((await follow(mode, 4)).weights[2]).toEqual(network);
  });

  test('follows only the first steps, and returns only those that were trained', async () => {
    const stepsOf = ({ points }: Followed): number[] => [
      ...new Set(points.map(({ step }) => step)),
    ];
    expect(stepsOf(await follow(mode, 3))).toEqual([1, 2, 3]);
    expect(stepsOf(await follow(mode, 9))).toEqual([1, 2, 3, 4]);
  });
});

test('refuses what cannot be followed', () => {
  for (const steps of [0, 2.5, Number.NaN]) {
    expect(() => followWeights(graph, steps)).toThrow(TrainError);
  }
  const bare = build<AnyLayer>({ flatten: flatten() });
  expect(() => followWeights(bare, 3)).toThrow(/no trainable kernel/);
});
