import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { LayerError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { add, addWeighted, combineForward, concat, flatten, identity, mul } from './combine';

beforeAll(() => {
  loadTensorflow();
});

const x = (): tf.Tensor => tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 2, 2]);
const y = (): tf.Tensor => tf.tensor4d([10, 20, 30, 40, 50, 60, 70, 80], [2, 1, 2, 2]);

test.each([
  ['identity', identity(), [x], [2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]],
  ['add', add(), [x, y], [2, 1, 2, 2], [11, 22, 33, 44, 55, 66, 77, 88]],
  [
    'addWeighted',
    addWeighted(2, -0.5),
    [x, y],
    [2, 1, 2, 2],
    [-3, -6, -9, -12, -15, -18, -21, -24],
  ],
  ['mul', mul(0.5), [x], [2, 1, 2, 2], [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]],
  ['flatten', flatten(), [x], [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]],
  ['concat of one', concat(), [x], [2, 1, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]],
  [
    'concat of three, along the channels',
    concat(),
    [x, y, x],
    [2, 1, 2, 6],
    [1, 2, 10, 20, 1, 2, 3, 4, 30, 40, 3, 4, 5, 6, 50, 60, 5, 6, 7, 8, 70, 80, 7, 8],
  ],
] as const)('%s', (_, layer, inputs, shape, data) => {
  const output = combineForward(
    layer,
    inputs.map((make) => make()),
  );
  expect(output.shape).toEqual(shape);
  expect([...output.dataSync()]).toEqual(data);
});

test('rejects a wrong number of inputs', () => {
  expect(() => combineForward(add(), [x()])).toThrow(LayerError);
  expect(() => combineForward(add(), [x()])).toThrow(/add: expected 2 inputs, got 1/);
  expect(() => combineForward(mul(2), [x(), y()])).toThrow(/mul: expected 1 input, got 2/);
});
