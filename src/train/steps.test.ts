import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import type { Numbers } from '../../test/expect-close';
import { GraphError, TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import { createSession } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import { celu } from '../nn/activation';
import { ghostBatchNorm } from '../nn/batch-norm';
import { add, flatten, identity, mul } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { labelSmoothingLoss } from '../nn/loss';
import { initNetwork, pathsByRole } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { maxPool } from '../nn/pool';
import { updateEma } from '../optim/ema';
import { initVelocity } from '../optim/optimiser';
import type { Optimiser } from '../optim/optimiser';
import type { Batch } from './batches';
import {
  addToTotals,
  backward,
  emptyTotals,
  fold,
  forward,
  gradients,
  log,
  optimise,
  outputOf,
} from './steps';
import type { Model, Work } from './steps';
import { evaluate } from './test-time';

beforeAll(() => {
  loadTensorflow();
});

const host = (t: tf.Tensor): Numbers => ({ shape: t.shape, data: t.dataSync() });

/** Every kind of layer that a training step can contain, at small width. */
const model: Model = {
  graph: build<AnyLayer>({
    prep: {
      whiten: conv(3, 5, { size: 1, isFrozen: true }),
      conv: conv(5, 4),
      norm: ghostBatchNorm(4, 2, { isScaleFrozen: true }),
      act: celu(0.3),
    },
    residual: { in: identity(), conv: conv(4, 4), add: [add(), ['in', 'conv']] },
    pool: maxPool(4),
    flatten: flatten(),
    linear: linear(4, 3, { hasBias: true }),
    logits: mul(0.5),
  }),
  loss: build<AnyLayer>(labelSmoothingLoss(0.1)),
};
const network = initNetwork(model.graph, createRng(1, 'init'));
const trainable = pathsByRole(model.graph, 'trainable');
const velocity = initVelocity(Object.fromEntries(trainable.map((path) => [path, network[path]])));
const optimiser: Optimiser = {
  rule: 'nesterov-b',
  groups: [{ includes: 'bias', lrFactor: 4, weightDecayFactor: 0.25 }],
};
const images = {
  shape: [4, 4, 4, 3],
  data: createRng(1, 'images').fillUniform(new Float32Array(4 * 4 * 4 * 3), -1, 1),
};
const target = Int32Array.of(0, 1, 2, 1);

function onDevice(values: typeof network): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(values).map(([path, { shape, data }]) => [
      path,
      tf.tensor(data, shape as number[]),
    ]),
  );
}

const totalsOnDevice = (): Work['totals'] => onDevice({ ...emptyTotals() }) as Work['totals'];

const batchOnDevice = (): Batch => ({
  input: tf.tensor4d(images.data, [4, 4, 4, 3]),
  target: tf.tensor1d(target, 'int32'),
});

describe('memory', () => {
  test('an eager training, averaging or evaluation step leaks no tensor', async () => {
    const before = tf.memory().numTensors;
    const session = createSession(
      { network, velocity, ema: network, totals: emptyTotals() },
      { mode: 'eager' },
    );
    const feed = {
      images,
      target,
      hyper: { lr: 0.01, weightDecay: 0.1, momentum: 0.9 },
      step: 1,
    };
    const train = session.capture(
      'train',
      (state, { images: input, target, ...fed }) => {
        const batch = { input, target } as Batch;
        const work = fold({ ...state, batch, ...fed }, [backward(model), log, optimise(optimiser)]);
        return {
          state: { network: work.network, velocity: work.velocity, totals: work.totals },
          outputs: { logits: work.outcome?.logits as tf.Tensor },
        };
      },
      feed,
    );
    const average = session.capture(
      'ema',
      (state) => ({
        state: { ema: updateEma({ momentum: 0.9, updateFreq: 1 }, state.ema, state.network) },
      }),
      {},
    );
    const judge = session.capture(
      'eval',
      (state, { images: input, target, ...fed }) => {
        const batch = { input, target } as Batch;
        const work = fold({ ...state, batch, ...fed }, [evaluate(model, { tta: true }), log]);
        return { state: { totals: work.totals } };
      },
      feed,
    );
    const held = tf.memory();
    for (const run of [() => train(feed), () => average({}), () => judge(feed)]) {
      for (let i = 0; i < 3; i++) {
        await run();
        const { numTensors, numBytes } = tf.memory();
        expect([numTensors, numBytes]).toEqual([held.numTensors, held.numBytes]);
      }
    }
    const { totals } = await session.read('totals');
    expect(totals.count.data[0]).toBe(6 * 4);
    session.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('gradients', () => {
  test('match central differences of the summed loss in every trainable variable', () => {
    tf.tidy(() => {
      const [own, batch] = [onDevice(network), batchOnDevice()];
      const { gradients: found } = gradients(model, own, batch);
      expect(Object.keys(found)).toEqual(trainable);
      const lossAt = (path: string, direction: tf.Tensor, distance: number): number => {
        const moved = own[path].add(direction.mul(distance));
        const { loss } = forward(model, { ...own, [path]: moved }, batch, true);
        return loss.sum().dataSync()[0];
      };
      for (const path of trainable) {
        const direction = tf.randomNormal(own[path].shape, 0, 1, 'float32', 1);
        const step = 0.01 / direction.norm().dataSync()[0];
        const slope = (lossAt(path, direction, step) - lossAt(path, direction, -step)) / (2 * step);
        const expected = found[path].mul(direction).sum().dataSync()[0];
        const scale = found[path].norm().mul(direction.norm()).dataSync()[0];
        // float32 losses, 0.02 apart
        expect(Math.abs(slope - expected) / scale).toBeLessThan(0.005);
      }
    });
  });

  test('return the outcome of the forward pass with new running statistics', () => {
    tf.tidy(() => {
      const [own, batch] = [onDevice(network), batchOnDevice()];
      const { outcome } = gradients(model, own, batch);
      const expected = forward(model, own, batch, true);
      for (const name of ['logits', 'loss', 'acc'] as const) {
        expectClose(name, host(outcome[name]), host(expected[name]), 1e-6);
      }
      expect(Object.keys(outcome.running)).toEqual([
        'prep/norm/running_mean',
        'prep/norm/running_var',
      ]);
      expect([...outcome.running['prep/norm/running_mean'].dataSync()]).not.toContain(0);
    });
  });
});

describe('totals', () => {
  test('are summed over batches of any size, and keep the first bad step', () => {
    tf.tidy(() => {
      let totals = totalsOnDevice();
      const add = (loss: number[], acc: number[], step: number): void => {
        totals = addToTotals(
          totals,
          { loss: tf.tensor1d(loss), acc: tf.tensor1d(acc) },
          tf.scalar(step),
        );
      };
      const read = (): number[] =>
        [totals.loss, totals.correct, totals.count, totals.firstBadStep].map(
          (total) => total.dataSync()[0],
        );
      add([1, 2, 3], [0, 1, 1], 1);
      add([4], [1], 2);
      expect(read()).toEqual([10, 3, 4, -1]);
      add([1, Infinity], [0, 0], 3);
      add([NaN], [0], 4);
      add([1], [1], 5);
      expect(read()).toEqual([NaN, 4, 8, 3]);
    });
  });
});

describe('fold', () => {
  const start = (): Work => ({
    batch: batchOnDevice(),
    hyper: { lr: tf.scalar(0.1), weightDecay: tf.scalar(0), momentum: tf.scalar(0.9) },
    step: tf.scalar(1),
    network: onDevice(network),
    velocity: onDevice(velocity),
    totals: totalsOnDevice(),
    extra: {},
  });

  test('each step works on the result of the previous ones', () => {
    tf.tidy(() => {
      const seen: number[] = [];
      const twice = ({ step }: Work): Partial<Work> => {
        seen.push(step.dataSync()[0]);
        return { step: step.mul(2) };
      };
      const work = fold(start(), [twice, () => ({}), twice, twice]);
      expect([...seen, work.step.dataSync()[0]]).toEqual([1, 2, 4, 8]);
    });
  });

  test('optimise updates the trainable variables and nothing else', () => {
    tf.tidy(() => {
      const before = start();
      const { network: after } = fold(before, [backward(model), optimise(optimiser)]);
      const changed = Object.keys(after).filter((path) => {
        return after[path].sub(before.network[path]).abs().max().dataSync()[0] > 0;
      });
      const running = pathsByRole(model.graph, 'running');
      expect(new Set(changed)).toEqual(new Set([...trainable, ...running]));
      expect(Object.keys(after)).toEqual(Object.keys(before.network));
    });
  });

  test('a step that comes too early names the step that it needs', () => {
    tf.tidy(() => {
      expect(() => fold(start(), [log])).toThrow(TrainError);
      expect(() => fold(start(), [log])).toThrow(/"log" needs an evaluation or a backward pass/);
      expect(() => fold(start(), [evaluate(model, { tta: false }), optimise(optimiser)])).toThrow(
        /"optimise" needs a backward pass before it/,
      );
    });
  });
});

test('the output is the last node, and an empty network has none', () => {
  expect(outputOf(model.graph)).toBe('logits');
  expect(() => outputOf(new Map())).toThrow(GraphError);
});
