import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import type { Numbers } from '../../test/expect-close';
import { LayerError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import type { Net } from '../graph/spec';
import type { CombineLayer } from './combine';
import {
  correct,
  crossEntropy,
  crossEntropyLoss,
  klUniform,
  labelSmoothingLoss,
  logSoftmax,
  lossForward,
  nll,
  smoothedLoss,
} from './loss';
import type { LossLayer } from './loss';
import { runNetwork } from './network';

beforeAll(() => {
  loadTensorflow();
});

const host = (t: tf.Tensor): Numbers => ({ shape: t.shape, data: t.dataSync() });

function logSoftmaxOf(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - largest), 0));
  return row.map((x) => x - largest - total);
}

/** Examples: logits that float32 represents exactly, and their classes. */
const examples = fc
  .record({ n: fc.integer({ min: 1, max: 4 }), classes: fc.integer({ min: 2, max: 10 }) })
  .chain(({ n, classes }) =>
    fc.record({
      logits: fc.array(
        fc.array(
          fc.integer({ min: -400, max: 400 }).map((x) => x / 8),
          {
            minLength: classes,
            maxLength: classes,
          },
        ),
        { minLength: n, maxLength: n },
      ),
      target: fc.array(fc.nat(classes - 1), { minLength: n, maxLength: n }),
    }),
  );

describe('losses of any logits', () => {
  test('match their formulas, with the gradient p - target', () => {
    fc.assert(
      fc.property(examples, fc.constantFrom(0, 0.2, 1), ({ logits, target }, alpha) => {
        tf.tidy(() => {
          const [x, t] = [tf.tensor2d(logits), tf.tensor1d(target, 'int32')];
          const n = logits.length;
          const logs = logits.map(logSoftmaxOf);
          const classes = logs[0].length;
          const xent = logs.map((row, e) => -row[target[e]]);
          const kl = logs.map((row) => -row.reduce((a, b) => a + b, 0) / classes);
          const each = (data: number[]): Numbers => ({ shape: [n], data });
          // Compares 1 + value: a loss near zero is a difference of larger numbers, and a gradient may be all zeros.
          const expectNear = (name: string, found: tf.Tensor, expected: Numbers): void => {
            const plusOne = ({ shape, data }: Numbers): Numbers => ({
              shape,
              data: Array.from(data, (value) => 1 + value),
            });
            expectClose(name, plusOne(host(found)), plusOne(expected));
          };
          expectNear('cross entropy', lossForward(crossEntropy(), [x, t]), each(xent));
          const logprobs = lossForward(logSoftmax(), [x]);
          expectNear('logprobs', logprobs, { shape: [n, classes], data: logs.flat() });
          expectNear('nll', lossForward(nll(), [logprobs, t]), each(xent));
          expectNear('KL', lossForward(klUniform(), [logprobs]), each(kl));

          const lossOf = (net: Net<LossLayer | CombineLayer>, scores: tf.Tensor): tf.Tensor =>
            runNetwork(build(net), {}, { logits: scores, target: t }, true).values.get(
              'loss',
            ) as tf.Tensor;
          const smoothed = (scores: tf.Tensor): tf.Tensor =>
            lossOf(labelSmoothingLoss(alpha), scores);
          expectNear(
            'weighted',
            lossOf(smoothedLoss(1, alpha / 2), x),
            each(xent.map((value, e) => value + (alpha / 2) * kl[e])),
          );
          expectNear(
            'smoothed',
            smoothed(x),
            each(xent.map((value, e) => (1 - alpha) * value + alpha * kl[e])),
          );
          const gradient = logs.flatMap((row, e) =>
            row.map((log, c) => {
              const isTarget = c === target[e] ? 1 : 0;
              return Math.exp(log) - (1 - alpha) * isTarget - alpha / classes;
            }),
          );
          const slope = tf.grad((scores) => smoothed(scores).sum())(x);
          expectNear('gradient', slope, { shape: [n, classes], data: gradient });
        });
      }),
      { numRuns: 50 },
    );
  });

  test('a logit of 1000 does not overflow', () => {
    const x = tf.tensor2d([[1000, 0, -1000]]);
    const loss = (target: number): number =>
      lossForward(crossEntropy(), [x, tf.tensor1d([target], 'int32')]).dataSync()[0];
    expect([0, 1, 2].map((target) => loss(target) + 0)).toEqual([0, 1000, 2000]);
  });
});

test('correct: 1 where the largest logit is the target', () => {
  const x = tf.tensor2d([
    [1, 5, 2],
    [9, 5, 2],
    [0, 0, 1],
  ]);
  const found = lossForward(correct(), [x, tf.tensor1d([1, 2, 2], 'int32')]);
  expect(found.dtype).toBe('float32');
  expect([...found.dataSync()]).toEqual([1, 0, 1]);
});

test('the loss networks compute loss and acc from logits and target', () => {
  const feeds = { logits: tf.tensor2d([[0, 0]]), target: tf.tensor1d([1], 'int32') };
  for (const net of [crossEntropyLoss(), labelSmoothingLoss(0.2)]) {
    const { values } = runNetwork(build(net), {}, feeds, false);
    expect(values.get('loss')?.dataSync()[0]).toBeCloseTo(Math.LN2, 6);
    expect(values.get('acc')?.dataSync()[0]).toBe(0);
  }
  expect([...build(labelSmoothingLoss(0.2)).keys()]).toEqual([
    'logits',
    'target',
    'logprobs',
    'KL',
    'xent',
    'loss',
    'acc',
  ]);
});

test('rejects targets that are missing or too few', () => {
  const x = tf.zeros([3, 10]);
  expect(() => lossForward(crossEntropy(), [x])).toThrow(LayerError);
  expect(() => lossForward(correct(), [x, tf.zeros([2], 'int32')])).toThrow(
    /correct: got scores \[3,10\] and targets \[2\]/,
  );
});
