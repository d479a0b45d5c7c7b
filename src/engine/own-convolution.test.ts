import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { createRng } from '../base/rng';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { AlgorithmRow, ConvPass } from './conv-algorithm';
import { attributeType, dataType, openGraph } from './graph';
import { loadGraphAddon } from './native';
import { createSession } from './session';
import { loadTensorflow } from './tensorflow';

loadTensorflow();

const hasWinograd = loadGraphAddon().convAlgorithms(0, false, [1, 4, 4, 32, 32, 4, 4]).length > 0;

/** Chooses Winograd's algorithm for every pass, whatever is fastest here. */
const rows = (['forward', 'input-gradient', 'kernel-gradient'] as const).map(
  (pass: ConvPass): AlgorithmRow => ({
    pass,
    shape: 'fp32 2x16x16 16->16',
    candidates: [{ algorithm: 'winograd-4', ms: 1, difference: 0 }],
    chosen: 'winograd-4',
  }),
);

function random(name: string, shape: readonly number[]): HostTensor {
  const rng = createRng(1, name);
  const data = filled(shape, 0).data.map(() => rng.normal());
  return { shape, data };
}

describe('a 3x3 convolution with channels first', () => {
  test.each<readonly [x: readonly number[], channels: number]>([
    [[2, 16, 16, 16], 16],
    [[2, 16, 9, 9], 16],
    [[2, 8, 16, 16], 8],
  ])('x=[%j] gives the same captured and eagerly', async (shape, channels) => {
    const feeds = { x: random('x', shape), k: random('k', [3, 3, channels, 16]) };
    const results = async (mode: 'eager' | 'captured'): Promise<Record<string, HostTensor>> => {
      const session = createSession(
        {},
        { mode, ...(mode === 'eager' ? {} : { algorithms: rows }) },
      );
      const run = session.capture(
        'convolution',
        (_state, { x, k }) => {
          const conv = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
            tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same', 'NCHW');
          const [dx, dk] = tf.grads((a, b) => conv(a, b).square().sum())([x, k]);
          return { outputs: { y: conv(x, k), dx, dk } };
        },
        feeds,
      );
      try {
        return await run(feeds);
      } finally {
        session.dispose();
      }
    };
    const [expected, found] = [await results('eager'), await results('captured')];
    for (const [name, value] of Object.entries(found)) expectClose(name, value, expected[name]);
  });
});

test.skipIf(!hasWinograd)(
  'a kernel that gets no working memory fails, and the process survives',
  async () => {
    const graph = openGraph();
    const [image, channels] = [[1, 4, 4, 2048], 2048];
    const x = graph.placeholder(dataType.float32, image);
    const attributes = [
      { name: 'T', type: attributeType.type, value: dataType.float32 },
      { name: 'algorithm', type: attributeType.string, value: 'winograd-4' },
      { name: 'extents', type: attributeType.int, value: [4, 4, 4, 4] },
      // The sums of so many threads exceed the address space.
      { name: 'threads', type: attributeType.int, value: 2 ** 19 },
    ];
    const name = 'Cifar10FastConv3x3BackpropFilter';
    const shape = [3, 3, channels, channels];
    const [gradient] = graph.add(name, [x, x], attributes, [], [shape]).outputs;
    await expect(graph.run([[x, filled(image, 1)]], [gradient], [])).rejects.toThrow(
      /out of memory when allocating the working memory of a kernel/,
    );
    graph.close();
  },
);
