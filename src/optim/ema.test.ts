import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { OptimError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { emaShares, isEmaStep, updateEma } from './ema';

beforeAll(() => {
  loadTensorflow();
});

test('updates after the first step of an epoch and every updateFreq-th step from there', () => {
  const ema = { momentum: 0.99, updateFreq: 5 };
  const steps = Array.from({ length: 97 }, (_, step) => step).filter((n) => isEmaStep(ema, n));
  expect(steps.slice(0, 3)).toEqual([0, 5, 10]);
  expect(steps).toHaveLength(20);
  expect([0, 1, 2].map((n) => isEmaStep({ momentum: 0.9, updateFreq: 1 }, n))).toEqual([
    true,
    true,
    true,
  ]);
});

test('one update by momentum ** updateFreq equals updateFreq updates towards the same value', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.5, max: 0.999, noNaN: true }),
      fc.integer({ min: 1, max: 6 }),
      (momentum, updateFreq) => {
        tf.tidy(() => {
          const current = { w: tf.tensor1d([1, -2]), 'bn/running_var': tf.scalar(3) };
          const start = { w: tf.tensor1d([0, 4]), 'bn/running_var': tf.scalar(1) };
          const once = updateEma({ momentum, updateFreq }, start, current);
          let often: Record<string, tf.Tensor> = start;
          for (let i = 0; i < updateFreq; i++) {
            often = updateEma({ momentum, updateFreq: 1 }, often, current);
          }
          expect(Object.keys(once)).toEqual(Object.keys(start));
          for (const name of Object.keys(start)) {
            for (const [i, value] of once[name].dataSync().entries()) {
              expect(value).toBeCloseTo(often[name].dataSync()[i], 5);
            }
          }
          const kept = momentum ** updateFreq;
          expect(once['w'].dataSync()[0]).toBeCloseTo(1 - kept, 5);
        });
      },
    ),
    { numRuns: 30 },
  );
});

test('a step that passes two positions of the schedule keeps as much of the average as two steps', () => {
  const ema = { momentum: 0.9, updateFreq: 5 };
  expect(emaShares(ema, 2).kept).toBeCloseTo(emaShares(ema).kept ** 2, 12);
  expect(emaShares(ema, 0.5).kept).toBeCloseTo(Math.sqrt(emaShares(ema).kept), 12);
  expect(emaShares(ema, 2).taken).toBe(1 - emaShares(ema, 2).kept);
});

test('names the tensor that the network does not have', () => {
  const update = (): unknown =>
    updateEma({ momentum: 0.9, updateFreq: 1 }, { 'a/weight': tf.scalar(1) }, {});
  expect(update).toThrow(OptimError);
  expect(update).toThrow(/no "a\/weight"/);
});
