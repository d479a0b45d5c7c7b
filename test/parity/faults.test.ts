import { resolve } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import type * as Gather from '../../src/augment/gather';
import type * as RawBatchNorm from '../../src/engine/raw/batch-norm';
import type * as BatchNorm from '../../src/nn/batch-norm';
import type * as Combine from '../../src/nn/combine';
import type * as EmaModule from '../../src/optim/ema';
import type * as Rule from '../../src/optim/rule';
import { defaultBar } from '../expect-close';
import { engines } from './engine';
import { readFixture } from './fixture';
import type { Fixture } from './fixture';
import { madeFixture } from './made-fixture';
import { errorsOf } from './subject';
import { subjectsOf } from './subjects';

/**
 * Checks that the suite catches faults. Each fault is planted by mocking a module of the library, and must fail. The same
 * fixtures pass without a fault.
 */
type Fault =
  | 'none'
  | 'batch norm momentum'
  | 'Nesterov term'
  | 'label smoothing'
  | 'biased variance'
  | 'consecutive splits'
  | 'cutout box'
  | 'EMA across epochs';

const planted = vi.hoisted(() => ({ fault: 'none' as string, stepsOfEma: 0 }));

vi.mock('../../src/nn/batch-norm', async (importOriginal) => {
  const original = await importOriginal<typeof BatchNorm>();
  const forward: typeof original.batchNormForward = (layer, x, parameters, isTraining) => {
    if (planted.fault === 'batch norm momentum') {
      const momentum = 1.01 * layer.momentum;
      return original.batchNormForward({ ...layer, momentum }, x, parameters, isTraining);
    }
    if (planted.fault === 'consecutive splits' && isTraining) {
      const { splits } = layer;
      const shape = x.shape as [number, number, number, number];
      const [n, ...rest] = shape;
      // Reorders the examples so that every splits-th one belongs to the same consecutive block.
      const turn = (t: tf.Tensor, [a, b]: readonly [number, number]): tf.Tensor =>
        t
          .reshape([a, b, ...rest])
          .transpose([1, 0, 2, 3, 4])
          .reshape(shape);
      const { output, ...others } = original.batchNormForward(
        layer,
        turn(x, [splits, n / splits]),
        parameters,
        isTraining,
      );
      return { ...others, output: turn(output, [n / splits, splits]) };
    }
    return original.batchNormForward(layer, x, parameters, isTraining);
  };
  return { ...original, batchNormForward: forward };
});

vi.mock('../../src/engine/raw/batch-norm', async (importOriginal) => {
  const original = await importOriginal<typeof RawBatchNorm>();
  const training: typeof original.batchNormTraining = (x, scale, bias, epsilon) => {
    const result = original.batchNormTraining(x, scale, bias, epsilon);
    if (planted.fault !== 'biased variance') return result;
    const count = x.shape[0] * x.shape[1] * x.shape[2];
    return { ...result, variance: result.variance.mul((count - 1) / count) };
  };
  return { ...original, batchNormTraining: training };
});

vi.mock('../../src/optim/rule', async (importOriginal) => {
  const original = await importOriginal<typeof Rule>();
  const rule: typeof original.nesterovB = (weight, gradient, velocity, hyper) => {
    const moved = original.nesterovB(weight, gradient, velocity, hyper);
    if (planted.fault !== 'Nesterov term') return moved;
    return { ...moved, weight: moved.weight.add(moved.velocity.mul(hyper.momentum.mul(0.01))) };
  };
  return { ...original, nesterovB: rule };
});

vi.mock('../../src/nn/combine', async (importOriginal) => {
  const original = await importOriginal<typeof Combine>();
  const forward: typeof original.combineForward = (layer, inputs) => {
    if (planted.fault !== 'label smoothing' || layer.kind !== 'add-weighted') {
      return original.combineForward(layer, inputs);
    }
    const alpha = 1.01 * layer.wy;
    return original.combineForward(original.addWeighted(1 - alpha, alpha), inputs);
  };
  return { ...original, combineForward: forward };
});

vi.mock('../../src/augment/gather', async (importOriginal) => {
  const original = await importOriginal<typeof Gather>();
  const tables: typeof original.gatherTables = (transforms, source, pad) => {
    const made = original.gatherTables(transforms, source, pad);
    if (planted.fault !== 'cutout box') return made;
    const { values, shape } = made.rowBox;
    const [, columns] = shape;
    // Shifts each row of the table right by one pixel: the box starts and ends one row too low.
    const shifted = values.map((_, i) => (i % columns === 0 ? 0 : values[i - 1]));
    return { ...made, rowBox: { values: shifted, shape } };
  };
  return { ...original, gatherTables: tables };
});

vi.mock('../../src/optim/ema', async (importOriginal) => {
  const original = await importOriginal<typeof EmaModule>();
  const isStep: typeof original.isEmaStep = (ema, stepInEpoch) => {
    const step = planted.fault === 'EMA across epochs' ? planted.stepsOfEma++ : stepInEpoch;
    return original.isEmaStep(ema, step);
  };
  return { ...original, isEmaStep: isStep };
});

function reference(name: string): Fixture {
  return readFixture(resolve(__dirname, '../fixtures/reference'), name);
}

/** The tensors of a fixture that exceed the bar, with their errors. */
async function offBy(fixture: Fixture): Promise<ReadonlyMap<string, number>> {
  const [engine] = engines;
  const off = new Map<string, number>();
  for (const { expected, measure } of await subjectsOf(fixture)) {
    planted.stepsOfEma = 0;
    for (const [name, error] of errorsOf(expected, await measure(engine))) {
      if (!(error <= defaultBar)) off.set(name, error);
    }
  }
  return off;
}

beforeEach(() => {
  planted.fault = 'none';
});

describe('planted faults', () => {
  test.each<readonly [fault: Fault, fixture: string, shows: string, least: number]>([
    ['batch norm momentum', 'backbone_maxpool', 'final/layer2/block0/bn/running_mean', 5e-3],
    ['Nesterov term', 'backbone_maxpool', 'step1/param/prep/conv/weight', 1e-4],
    ['label smoothing', 'bag_of_tricks', 'step1/grad/linear/weight', 1e-3],
    ['biased variance', 'backbone_maxpool', 'final/layer4/block0/bn/running_var', 1e-4],
    ['consecutive splits', 'bag_of_tricks', 'step1/logits', 1e-2],
    ['cutout box', 'preprocess', 'augmented/2', 1e-1],
    ['EMA across epochs', 'made', 'ema/prep/conv/weight', 1e-2],
  ])('%s in %s', async (fault, name, shows, least) => {
    const fixture = name === 'made' ? madeFixture() : reference(name);
    expect(await offBy(fixture)).toEqual(new Map());
    planted.fault = fault;
    const off = await offBy(fixture);
    expect(off.get(shows)).toBeGreaterThan(least);
  });
});
