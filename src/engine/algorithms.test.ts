import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import type { HostTensor } from '../base/host-tensor';
import { createAlgorithms } from './algorithms';
import type { AlgorithmRow } from './algorithms';
import { loadGraphAddon } from './native';
import { createSession } from './session';
import { loadTensorflow } from './tensorflow';

loadTensorflow();
const isOffered = loadGraphAddon().hasConvKernels();
const cache = mkdtempSync(join(tmpdir(), 'cifar10-fast-algorithms-'));
const before = process.env['CIFAR10_FAST_CACHE'];

beforeAll(() => {
  process.env['CIFAR10_FAST_CACHE'] = cache;
});
afterAll(() => {
  if (before === undefined) delete process.env['CIFAR10_FAST_CACHE'];
  else process.env['CIFAR10_FAST_CACHE'] = before;
  rmSync(cache, { recursive: true, force: true });
});

function row(shape: string, chosen: AlgorithmRow['chosen']): AlgorithmRow {
  return { shape, directMs: 1, outerProductMs: 1, difference: 0, chosen };
}

/** The gradient of a 3x3 kernel for given x and dy, by a captured step in bf16 with a given choice. */
async function filterGradient(
  x: HostTensor,
  dy: HostTensor,
  chosen: AlgorithmRow['chosen'],
): Promise<{ readonly data: ArrayLike<number>; readonly operations: string }> {
  const [, height, width, ci] = x.shape;
  const co = dy.shape[3];
  const shape = `bf16 ${height}x${width} ${ci}->${co}`;
  const session = createSession(
    { x, dy, w: { shape: [3, 3, ci, co], data: new Float32Array(9 * ci * co) } },
    { precision: 'bf16', algorithms: [row(shape, chosen)] },
  );
  try {
    const run = session.capture(
      'gradient',
      ({ x: images, dy: gradient, w }) => ({
        outputs: {
          dw: tf.grad((kernel) =>
            tf
              .conv2d(images as tf.Tensor4D, kernel as tf.Tensor4D, 1, 'same')
              .mul(gradient)
              .sum(),
          )(w),
        },
      }),
      {},
    );
    const { dw } = await run({});
    return { data: dw.data, operations: session.algorithms.map((used) => used.chosen).join() };
  } finally {
    session.dispose();
  }
}

function random(shape: readonly number[], stream: string): HostTensor {
  const data = new Float32Array(shape.reduce((size, extent) => size * extent, 1));
  const rng = createRng(1, stream);
  for (let i = 0; i < data.length; i++) {
    // A bf16 number, so that both algorithms start from the same ones.
    data[i] = Math.fround(Math.round(rng.normal() * 16) / 16);
  }
  return { shape, data };
}

/** The same gradient in float64, by plain loops. */
function plainGradient(x: HostTensor, dy: HostTensor): Float64Array {
  const [n, h, w, ci] = x.shape;
  const co = dy.shape[3];
  const sums = new Float64Array(9 * ci * co);
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < h; i++) {
      for (let j = 0; j < w; j++) {
        for (let k = 0; k < 9; k++) {
          const y = i + Math.floor(k / 3) - 1;
          const z = j + (k % 3) - 1;
          if (y < 0 || z < 0 || y >= h || z >= w) continue;
          for (let c = 0; c < ci; c++) {
            const value = x.data[((b * h + y) * w + z) * ci + c];
            for (let o = 0; o < co; o++) {
              sums[(k * ci + c) * co + o] += value * dy.data[((b * h + i) * w + j) * co + o];
            }
          }
        }
      }
    }
  }
  return sums;
}

describe.skipIf(!isOffered)('the gradient of a 3x3 kernel as outer products', () => {
  test.each([
    [1, 4, 4, 8, 16],
    [3, 4, 4, 16, 32],
    [5, 8, 8, 8, 48],
    [2, 16, 16, 24, 16],
    [3, 32, 32, 8, 32],
    [70, 4, 4, 8, 64],
    [2, 6, 10, 16, 16],
    [2, 1, 2, 8, 16],
  ])('equals plain loops for x=[%i,%i,%i,%i] and %i output channels', async (n, h, w, ci, co) => {
    const x = random([n, h, w, ci], 'x');
    const dy = random([n, h, w, co], 'dy');
    const { data, operations } = await filterGradient(x, dy, 'outer-product');
    expect(operations).toBe('outer-product');
    const expected = plainGradient(x, dy);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = expected.reduce(
      (most, value, index) => Math.max(most, Math.abs(value - data[index])),
      0,
    );
    // Sums of exact products in float32.
    expect(worst / largest).toBeLessThan(1e-5);
  });

  test('agrees with TensorFlow, which rounds its result to bf16', async () => {
    const x = random([4, 8, 8, 16], 'x');
    const dy = random([4, 8, 8, 32], 'dy');
    const own = await filterGradient(x, dy, 'outer-product');
    const direct = await filterGradient(x, dy, 'direct');
    expect(direct.operations).toBe('direct');
    const largest = Math.max(...Array.from(own.data, Math.abs));
    const differences = Array.from(own.data, (value, i) => Math.abs(value - direct.data[i]));
    expect(Math.max(...differences) / largest).toBeLessThan(2 ** -8);
    expect(Math.max(...differences)).toBeGreaterThan(0);
  });

  test('is measured once for a shape, kept in the cache, and chosen alike ever after', () => {
    const first = createAlgorithms();
    const chosen = first.filterGradient([512, 4, 4, 32], 32);
    expect(first.rows).toHaveLength(1);
    expect(first.rows[0]).toMatchObject({ shape: 'bf16 4x4 32->32', chosen });
    expect(first.rows[0].difference).toBeLessThan(1e-2);
    expect(Object.values(JSON.parse(readFileSync(join(cache, 'algorithms.json'), 'utf8')))).toEqual(
      [first.rows],
    );
    const second = createAlgorithms();
    expect(second.filterGradient([512, 4, 4, 32], 32)).toBe(chosen);
    expect(second.rows).toEqual(first.rows);
  });

  test('what is known from a run before is not measured anew', () => {
    for (const chosen of ['direct', 'outer-product'] as const) {
      const algorithms = createAlgorithms([row('bf16 8x8 8->16', chosen)]);
      expect(algorithms.filterGradient([1, 8, 8, 8], 16)).toBe(chosen);
      expect(algorithms.rows).toEqual([row('bf16 8x8 8->16', chosen)]);
    }
  });
});

test('shapes that the kernel does not take are left to TensorFlow, unmeasured', () => {
  const algorithms = createAlgorithms();
  expect(algorithms.filterGradient([512, 32, 32, 3], 64)).toBe('direct');
  expect(algorithms.filterGradient([512, 5, 5, 8], 16)).toBe('direct');
  expect(algorithms.filterGradient([512, 8, 8, 8], 10)).toBe('direct');
  expect(algorithms.rows).toEqual([]);
});
