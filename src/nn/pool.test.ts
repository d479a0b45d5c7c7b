import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { LayerError } from '../base/errors';
import { createRng } from '../base/rng';
import { loadTensorflow } from '../engine/tensorflow';
import { avgPool, globalMaxPool, maxPool, poolForward } from './pool';

beforeAll(() => {
  loadTensorflow();
});

test('matches the largest or the mean of each window, for any window and stride', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 7 }),
      fc.integer({ min: 3, max: 7 }),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      fc.nat(),
      (h, w, size, stride, isMax, seed) => {
        const c = 2;
        const x = createRng(seed).fillUniform(new Float32Array(2 * h * w * c), -1, 1);
        const [rows, columns] = [h, w].map((side) => Math.floor((side - size) / stride) + 1);
        const data: number[] = [];
        for (let e = 0; e < 2; e++)
          for (let i = 0; i < rows; i++)
            for (let j = 0; j < columns; j++)
              for (let k = 0; k < c; k++) {
                const window = Array.from({ length: size * size }, (_, at) => {
                  const [y0, x0] = [i * stride + Math.floor(at / size), j * stride + (at % size)];
                  return x[((e * h + y0) * w + x0) * c + k];
                });
                const sum = window.reduce((a, b) => a + b, 0);
                data.push(isMax ? Math.max(...window) : sum / window.length);
              }
        tf.tidy(() => {
          const layer = isMax ? maxPool(size, stride) : avgPool(size, stride);
          const y = poolForward(layer, tf.tensor4d(x, [2, h, w, c]));
          expectClose(
            'pool',
            { shape: y.shape, data: y.dataSync() },
            { shape: [2, rows, columns, c], data },
          );
        });
      },
    ),
    { numRuns: 50 },
  );
});

test('windows do not overlap by default', () => {
  expect(poolForward(maxPool(2), tf.zeros([1, 5, 4, 3])).shape).toEqual([1, 2, 2, 3]);
  expect(poolForward(avgPool(4), tf.zeros([1, 4, 4, 3])).shape).toEqual([1, 1, 1, 3]);
});

test('rejects an image smaller than the window', () => {
  expect(() => poolForward(maxPool(4), tf.zeros([1, 2, 4, 3]))).toThrow(LayerError);
  expect(() => poolForward(avgPool(4), tf.zeros([1, 2, 4, 3]))).toThrow(
    /avg-pool: the input has shape \[1,2,4,3\].*at least 4/,
  );
});

test('global pooling returns the largest value of each channel, for any extents', () => {
  for (const [height, width] of [
    [3, 3],
    [2, 5],
    [1, 1],
  ]) {
    const x = createRng(height).fillUniform(new Float32Array(2 * height * width * 4), -1, 1);
    const largest = Array.from({ length: 8 }, (_, at) => {
      const [image, channel] = [Math.floor(at / 4), at % 4];
      const values = x.filter((_value, i) => {
        return Math.floor(i / (height * width * 4)) === image && i % 4 === channel;
      });
      return Math.max(...values);
    });
    const y = poolForward(globalMaxPool(), tf.tensor4d(x, [2, height, width, 4]));
    expect(y.shape).toEqual([2, 1, 1, 4]);
    expect([...y.dataSync()]).toEqual(largest);
  }
});

test('global pooling rejects inputs without height and width', () => {
  expect(() => poolForward(globalMaxPool(), tf.zeros([2, 4]))).toThrow(LayerError);
  expect(() => poolForward(globalMaxPool(), tf.zeros([2, 4]))).toThrow(
    /global-max-pool: the input has shape \[2,4\]; expected \[N,H,W,C\]/,
  );
});
