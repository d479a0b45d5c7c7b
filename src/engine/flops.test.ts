import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filled, sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { countFlops, flopsOf } from './flops';
import type { Precision } from './hardware';
import { trimmedConv } from './raw/trimmed-conv';
import { createSession } from './session';
import type { Recording, Session } from './session';
import { loadTensorflow } from './tensorflow';

const open: Session<Record<string, HostTensor>>[] = [];

beforeAll(() => {
  loadTensorflow();
});

afterAll(() => {
  for (const session of open) session.dispose();
});

/** Records `body` on float inputs of these shapes. */
function recordingOf(
  shapes: Readonly<Record<string, readonly number[]>>,
  body: (inputs: Readonly<Record<string, tf.Tensor>>) => tf.Tensor,
  precision: Precision = 'fp32',
): Recording {
  const session = createSession<Record<string, HostTensor>>({}, { mode: 'captured', precision });
  open.push(session);
  const example = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, filled(shape, 0)]),
  );
  session.capture('step', (_state, inputs) => ({ outputs: { y: body(inputs) } }), example);
  return session.recordings[0];
}

const perOperation = ({ nodes }: Recording): Record<string, number> =>
  Object.fromEntries(
    nodes.filter((node) => flopsOf(node) > 0).map((node) => [node.op, flopsOf(node)]),
  );
const four = (t: tf.Tensor): tf.Tensor4D => t as tf.Tensor4D;

type Conv = (x: tf.Tensor4D, kernel: tf.Tensor4D) => tf.Tensor;

/** Records a convolution with both of its gradients, and uses all three results. */
function threePasses(
  x: readonly number[],
  k: readonly number[],
  conv: Conv,
  precision: Precision = 'fp32',
): Recording {
  return recordingOf(
    { x, k },
    (given) => {
      const [dx, dk] = tf.grads((a, b) => conv(four(a), four(b)).square().sum())([
        given.x,
        given.k,
      ]);
      return dx.sum().add(dk.sum());
    },
    precision,
  );
}

/**
 * The sum of a convolution of ones with ones is the number of its products: zeros of the padding add nothing.
 * Kernels are summed over each pair of channels.
 */
function productsOf(x: readonly number[], k: readonly number[], conv: Conv): number {
  return tf.tidy(
    () =>
      conv(four(tf.ones([...x])), four(tf.ones([...k])))
        .sum()
        .dataSync()[0],
  );
}

describe('flopsOf', () => {
  test('a convolution and its two gradients count two for each product, without the padding', () => {
    fc.assert(
      fc.property(
        fc.record({
          h: fc.integer({ min: 1, max: 9 }),
          w: fc.integer({ min: 1, max: 9 }),
          size: fc.integer({ min: 1, max: 4 }),
          stride: fc.integer({ min: 1, max: 3 }),
          padding: fc.constantFrom('same' as const, 'valid' as const),
          format: fc.constantFrom('NHWC' as const, 'NCHW' as const),
        }),
        ({ h, w, size, stride, padding, format }) => {
          fc.pre(padding === 'same' || (h >= size && w >= size));
          // With channels first, TF.js in Node passes its strides along the wrong axes.
          fc.pre(format === 'NHWC' || stride === 1);
          const [x, k] = [format === 'NHWC' ? [2, h, w, 3] : [2, 3, h, w], [size, size, 3, 5]];
          const conv: Conv = (a, b) => tf.conv2d(a, b, stride, padding, format);
          const flops = 2 * productsOf(x, k, conv);
          expect(perOperation(threePasses(x, k, conv))).toEqual({
            Conv2D: flops,
            Conv2DBackpropInput: flops,
            Conv2DBackpropFilter: flops,
          });
        },
      ),
      { numRuns: 25 },
    );
  });

  test('by hand: x=[2,8,8,3] k=[3,3,3,16], 8 outputs by 3 taps minus 2 on zeros', () => {
    const recording = recordingOf({ x: [2, 8, 8, 3], k: [3, 3, 3, 16] }, ({ x, k }) =>
      tf.conv2d(four(x), four(k), 1, 'same'),
    );
    expect(countFlops(recording)).toBe(2 * 2 * (8 * 3 - 2) ** 2 * 3 * 16);
  });

  test('dilated convolutions', () => {
    const [x, k] = [
      [2, 8, 9, 3],
      [3, 3, 3, 5],
    ];
    for (const padding of ['same', 'valid'] as const) {
      const conv: Conv = (a, b) => tf.conv2d(a, b, 1, padding, 'NHWC', 2);
      const recording = recordingOf({ x, k }, (given) => conv(four(given.x), four(given.k)));
      expect(countFlops(recording)).toBe(2 * productsOf(x, k, conv));
    }
  });

  test.each<Precision>(['fp32', 'bf16'])(
    'our own operations count like those that they replace, trimmed ones only what they compute: %s',
    (precision) => {
      for (const [height, width, conv] of [
        [8, 8, (a, b) => tf.conv2d(a, b, 1, 'same')],
        [3, 7, (a, b) => tf.conv2d(a, b, 1, 'same')],
        [7, 7, trimmedConv],
        [3, 6, trimmedConv],
      ] as readonly (readonly [number, number, Conv])[]) {
        const [x, k] = [
          [4, height, width, 16],
          [3, 3, 16, 32],
        ];
        const flops = 2 * productsOf(x, k, conv);
        // If TensorFlow's gradients of a trimmed convolution are chosen, they are those of the whole convolution.
        const whole = 2 * productsOf(x, k, (a, b) => tf.conv2d(a, b, 1, 'same'));
        const counts = threePasses(x, k, conv, precision).nodes.flatMap((node) =>
          flopsOf(node) === 0 ? [] : [[node.op, flopsOf(node)] as const],
        );
        expect(counts).toHaveLength(3);
        for (const [op, count] of counts) {
          expect(count).toBe(op.startsWith('Conv2DBackprop') ? whole : flops);
        }
      }
    },
  );

  test('our own operations by their inputs, whichever algorithm the machine chooses', () => {
    const value = (shape: readonly number[]) => ({ ref: [0, 0] as const, dtype: 1, shape });
    const count = (
      op: string,
      of: readonly (readonly number[])[],
      output: readonly number[],
    ): number =>
      flopsOf({ id: 0, op, inputs: of.map(value), outputs: [value(output)], attributes: [] });
    const [x, k] = [
      [2, 7, 7, 16],
      [3, 3, 16, 32],
    ];
    const trimmed = 2 * productsOf(x, k, trimmedConv);
    expect(trimmed).toBe(2 * 2 * (6 * 3 - 1) ** 2 * 16 * 32);
    const valid = 2 * productsOf(x, k, (a, b) => tf.conv2d(a, b, 1, 'valid'));
    expect(valid).toBe(2 * 2 * (5 * 3) ** 2 * 16 * 32);
    for (const [extent, flops] of [
      [6, trimmed],
      [5, valid],
    ]) {
      const dy = [2, extent, extent, 32];
      expect(count('Cifar10FastConv3x3', [x, k], dy)).toBe(flops);
      expect(count('Cifar10FastConv3x3BackpropInput', [dy, k], x)).toBe(flops);
      expect(count('Cifar10FastConv3x3BackpropFilter', [x, dy], k)).toBe(flops);
    }
  });

  test('matMul: [3,4] x [4,5], transposed or not, alone or in batches', () => {
    const flops = 2 * 3 * 4 * 5;
    const plain = recordingOf({ a: [3, 4], b: [4, 5] }, ({ a, b }) => tf.matMul(a, b));
    expect(countFlops(plain)).toBe(flops);
    const turned = recordingOf({ a: [4, 3], b: [5, 4] }, ({ a, b }) => tf.matMul(a, b, true, true));
    expect(countFlops(turned)).toBe(flops);
    const batches = recordingOf({ a: [7, 4, 3], b: [7, 4, 5] }, ({ a, b }) =>
      tf.matMul(a, b, true),
    );
    expect(countFlops(batches)).toBe(7 * flops);
  });

  test('depthwise and three-dimensional convolutions', () => {
    const depthwise = recordingOf({ x: [1, 6, 6, 3], k: [3, 3, 3, 2] }, ({ x, k }) =>
      tf.depthwiseConv2d(four(x), four(k), 1, 'valid'),
    );
    expect(countFlops(depthwise)).toBe(2 * (4 * 4 * 6) * 9);
    const conv3d = recordingOf({ x: [1, 4, 4, 4, 2], k: [2, 2, 2, 2, 3] }, ({ x, k }) =>
      tf.conv3d(x as tf.Tensor5D, k as tf.Tensor5D, 1, 'valid'),
    );
    expect(countFlops(conv3d)).toBe(2 * (3 * 3 * 3 * 3) * (2 * 2 * 2 * 2));
  });

  test('anything else is 0', () => {
    expect(countFlops(recordingOf({ x: [5] }, ({ x }) => x.exp().sum()))).toBe(0);
  });
});

test('a loop counts all of its runs', () => {
  const session = createSession({ w: filled([4, 4], 0) }, { mode: 'captured' });
  const step = ({ w }: { w: tf.Tensor }): { state: { w: tf.Tensor } } => ({
    state: { w: tf.matMul(w, w) },
  });
  session.capture('once', step, {});
  session.captureLoop('often', 7, step, {});
  const once = 2 * sizeOf([4, 4, 4]);
  expect(session.recordings.map(countFlops)).toEqual([once, 7 * once]);
  session.dispose();
});

test('an input gradient that is not needed is not recorded', () => {
  const recording = recordingOf(
    { x: [2, 5, 5, 16], a: [3, 3, 16, 16], b: [3, 3, 16, 16] },
    (given) => {
      const network = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
        trimmedConv(four(tf.conv2d(four(given.x), four(a), 1, 'same')), four(b))
          .square()
          .sum();
      const [da, db] = tf.grads(network)([given.a, given.b]);
      return da.sum().add(db.sum());
    },
  );
  const counts = recording.nodes.map(flopsOf).filter((count) => count > 0);
  const whole = 2 * 2 * (5 * 3 - 2) ** 2 * 16 * 16;
  const trimmed = 2 * 2 * (4 * 3 - 1) ** 2 * 16 * 16;
  // Two forward, the gradients of both kernels, and the gradient of the second's input.
  expect(counts.toSorted((p, q) => p - q)).toEqual([trimmed, trimmed, trimmed, whole, whole]);
});
