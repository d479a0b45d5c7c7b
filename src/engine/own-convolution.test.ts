import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { createRng } from '../base/rng';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { Algorithm, AlgorithmRow } from './conv-algorithm';
import { attributeType, dataType, openGraph } from './graph';
import { loadGraphAddon } from './native';
import { createSession } from './session';
import type { SessionOptions } from './session';
import { loadTensorflow } from './tensorflow';

loadTensorflow();

const hasWinograd = loadGraphAddon().convAlgorithms(0, false, [1, 4, 4, 32, 32, 4, 4]).length > 0;

/** Chooses an algorithm for every pass, whatever is fastest here. */
function rowsOf(images: string, chosen: Algorithm): AlgorithmRow[] {
  return (['forward', 'input-gradient', 'kernel-gradient'] as const).map((pass) => ({
    pass,
    shape: `fp32 ${images} 16->16`,
    candidates: [{ algorithm: chosen, ms: 1, difference: 0 }],
    chosen,
  }));
}

function random(name: string, shape: readonly number[]): HostTensor {
  const rng = createRng(1, name);
  const data = filled(shape, 0).data.map(() => rng.normal());
  return { shape, data };
}

/** Expects that a convolution, and its gradients if it has some, are the same captured and eagerly. */
async function expectSame(
  feeds: { readonly x: HostTensor; readonly k: HostTensor },
  algorithms: readonly AlgorithmRow[],
  conv: (x: tf.Tensor4D, k: tf.Tensor4D) => tf.Tensor,
  hasGradients = true,
): Promise<readonly AlgorithmRow[]> {
  const results = async (
    options: SessionOptions,
  ): Promise<{ outputs: Record<string, HostTensor>; used: readonly AlgorithmRow[] }> => {
    const session = createSession({}, options);
    const run = session.capture(
      'convolution',
      (_state, { x, k }) => {
        const loss = (a: tf.Tensor, b: tf.Tensor): tf.Tensor =>
          conv(a as tf.Tensor4D, b as tf.Tensor4D)
            .square()
            .sum();
        const [dx, dk] = hasGradients ? tf.grads(loss)([x, k]) : [];
        const y = conv(x as tf.Tensor4D, k as tf.Tensor4D);
        return { outputs: { y, ...(hasGradients ? { dx, dk } : {}) } };
      },
      feeds,
    );
    try {
      return { outputs: await run(feeds), used: session.algorithms };
    } finally {
      session.dispose();
    }
  };
  const { outputs: expected } = await results({ mode: 'eager' });
  const { outputs: found, used } = await results({ algorithms });
  for (const [name, value] of Object.entries(found)) expectClose(name, value, expected[name]);
  return used;
}

describe('a 3x3 convolution with channels first', () => {
  test.each<readonly [x: readonly number[], channels: number]>([
    [[2, 16, 16, 16], 16],
    [[2, 16, 9, 9], 16],
    [[2, 8, 16, 16], 8],
  ])('x=[%j] gives the same captured and eagerly', async (shape, channels) => {
    const feeds = { x: random('x', shape), k: random('k', [3, 3, channels, 16]) };
    const used = await expectSame(feeds, rowsOf('2x16x16', 'winograd-4'), (x, k) =>
      tf.conv2d(x, k, 1, 'same', 'NCHW'),
    );
    expect(used).toEqual([]);
  });
});

/** A row and a column of zeros before the image, and none after it. */
const before: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 0],
  [1, 0],
  [0, 0],
];

describe.skipIf(!hasWinograd)('a 3x3 convolution with zeros only before the image', () => {
  test.each(
    (['winograd-4', 'winograd-6', 'winograd-7'] as const).flatMap((algorithm) =>
      [6, 7, 8, 16, 17].map((extent) => [algorithm, extent] as const),
    ),
  )('by %s, of %i pixels', async (algorithm, extent) => {
    const feeds = { x: random('x', [2, extent, extent, 16]), k: random('k', [3, 3, 16, 16]) };
    const known = rowsOf(`2x${extent}x${extent}(${extent - 1}x${extent - 1})`, algorithm);
    const used = await expectSame(
      feeds,
      known,
      (x, k) => tf.conv2d(x, k, 1, before as never),
      false, // TF.js has none for this padding.
    );
    expect(used).toEqual(known.slice(0, 1));
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
