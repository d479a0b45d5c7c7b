import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { OptimError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { lookaheadAction, updateLookahead } from './lookahead';

beforeAll(() => {
  loadTensorflow();
});

test('starts before the first step by default, and updates every few steps', () => {
  const actions = [0, 1, 2, 3, 4, 5, 6].map((step) =>
    lookaheadAction({ decay: 0.7, every: 3 }, step, 10),
  );
  expect(actions).toEqual([
    'start',
    'nothing',
    'nothing',
    'update',
    'nothing',
    'nothing',
    'update',
  ]);
});

test('starts after `from` epochs, rounded to the nearest step', () => {
  const actions = [7, 8, 9, 10, 11].map((step) =>
    lookaheadAction({ decay: 0.7, every: 2, from: 1.55 }, step, 5),
  );
  // 1.55 epochs are 7.75 steps.
  expect(actions).toEqual(['nothing', 'start', 'nothing', 'update', 'nothing']);
});

test.each([0, 1.5, -4, NaN])('refuses to update every %d steps', (every) => {
  expect(() => lookaheadAction({ decay: 0.7, every }, 3, 10)).toThrow(OptimError);
  expect(() => lookaheadAction({ decay: 0.7, every }, 3, 10)).toThrow(
    `"every" must be a positive integer; got ${every}`,
  );
});

test('an update keeps a share of the slow weights, in new tensors', () => {
  const [slow, fast] = [
    { a: tf.tensor1d([1, 2]), b: tf.scalar(8) },
    { a: tf.tensor1d([5, -2]), b: tf.scalar(0), c: tf.scalar(1) },
  ];
  const next = updateLookahead({ decay: 0.75, every: 1 }, slow, fast);
  expect(Object.keys(next)).toEqual(['a', 'b']);
  expect([...next['a'].dataSync()]).toEqual([2, 1]);
  expect([...next['b'].dataSync()]).toEqual([6]);
  expect([...slow.a.dataSync(), ...fast.a.dataSync()]).toEqual([1, 2, 5, -2]);
});
