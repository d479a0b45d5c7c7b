import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { HostTensor } from '../src/base/host-tensor';
import { sizeOf } from '../src/base/host-tensor';
import { batchNormTraining } from '../src/engine/raw/batch-norm';
import { relu } from '../src/engine/raw/relu';
import { createSession } from '../src/engine/session';
import type { SessionMode } from '../src/engine/session';
import { loadTensorflow } from '../src/engine/tensorflow';
import { runChain, steps } from './chains';
import type { Chain } from './chains';
import { expectClose } from './expect-close';
import {
  noOperations,
  operations,
  optimisers,
  refused,
  shapes,
  withoutKernel,
} from './tfjs-operations';
import type { Result } from './tfjs-operations';

/** TensorFlow rewrites a graph before it runs: sums are reordered, factors are merged. */
const rounding = 1e-6;

/** Chains may subtract two nearly equal numbers, which amplifies rounding: seen once in 2,000. */
const roundingOfChains = 1e-5;

type Feeds = Readonly<Record<string, HostTensor>>;
type Outputs = Readonly<Record<string, HostTensor>>;

/** Runs a function of tensors once, in a session of its own. */
async function runOnce(
  mode: SessionMode,
  name: string,
  body: (inputs: never) => Result,
  feeds: Feeds,
): Promise<Outputs> {
  const session = createSession({}, { mode });
  try {
    const run = session.capture(
      name,
      (_state, inputs) => ({ outputs: flat(body(inputs as never)) }),
      feeds,
    );
    return await run(feeds);
  } finally {
    session.dispose();
  }
}

/** The tensors of an operation's result by their path in it. */
function flat(result: unknown, prefix = 'out'): Record<string, tf.Tensor> {
  if (result instanceof tf.Tensor) return { [prefix]: result };
  return Object.assign(
    {},
    ...Object.entries(result as object).map(([key, value]) => flat(value, `${prefix}.${key}`)),
  ) as Record<string, tf.Tensor>;
}

/** Seeded uniform numbers from -0.95 to 0.95. */
function uniform(shape: readonly number[], seed: number): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  let state = seed * 2654435761;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = (state / 2 ** 31 - 1) * 0.95;
  }
  return { shape, data };
}

/** Fails unless both modes give the same tensors. */
async function expectSame(
  name: string,
  body: (inputs: never) => Result,
  feeds: Feeds,
  bar: number = rounding,
): Promise<Outputs> {
  const expected = await runOnce('eager', name, body, feeds);
  const found = await runOnce('captured', name, body, feeds);
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [key, { shape, data }] of Object.entries(found)) {
    expect(data.constructor).toBe(expected[key].data.constructor);
    expectClose(`${name}: ${key}`, { shape, data }, expected[key], bar);
  }
  return found;
}

beforeAll(() => {
  loadTensorflow();
});

const feeds: Feeds = Object.fromEntries(
  Object.entries(shapes).map(([key, shape], seed): [string, HostTensor] => {
    if (key === 'i') return [key, { shape, data: Int32Array.of(0, 2, 1, 2) }];
    if (key === 'b') return [key, { shape, data: Uint8Array.of(1, 0, 1, 1, 0, 0) }];
    return [key, uniform(shape, seed + 1)];
  }),
);

describe('every operation of TF.js', () => {
  test.each(operations)('%s: captured equals eager', async (name, call) => {
    const found = await expectSame(name, call, feeds);
    expect(Object.keys(found).length).toBeGreaterThan(0);
  });

  test.each([
    ['int32', (count: number) => Int32Array.from({ length: count }, (_, i) => ((7 * i) % 5) + 1)],
    ['bool', (count: number) => Uint8Array.from({ length: count }, (_, i) => Number(i % 3 === 0))],
  ] as const)('takes %s tensors in a recording if it takes them eagerly', async (_type, make) => {
    const given = Object.fromEntries(
      Object.entries(feeds).map(([key, { shape, data }]): [string, HostTensor] => [
        key,
        { shape, data: data instanceof Float32Array ? make(data.length) : data },
      ]),
    );
    const accepted: string[] = [];
    for (const [name, call] of operations) {
      const isAccepted = await runOnce('eager', name, call, given).then(Boolean, () => false);
      if (!isAccepted) continue;
      accepted.push(name);
      await expectSame(name, call, given);
    }
    expect(accepted).toEqual(expect.arrayContaining(['mean', 'moments']));
  });

  test.each(refused)('%s: refused', async (name, call, message) => {
    const attempt = async (): Promise<void> => {
      let made: unknown;
      const run = runOnce(
        'captured',
        name,
        (inputs) => {
          made = call(inputs);
          return made instanceof Promise ? [] : (made as Result);
        },
        feeds,
      );
      await run;
      await made;
    };
    await expect(attempt()).rejects.toThrow(message);
  });

  test.each(Object.entries(optimisers))('train.%s: refused', async (name, make) => {
    const weight = tf.variable(tf.scalar(1));
    const optimiser = make();
    await expect(
      runOnce(
        'captured',
        name,
        () => optimiser.minimize(() => weight.square(), true) as tf.Scalar,
        {},
      ),
    ).rejects.toThrow(/uses a float32 tensor \[\] that was created outside the step/);
    weight.dispose();
    optimiser.dispose();
  });

  test('is in one of the tables', () => {
    const spaces = { fused: tf.fused, image: tf.image, linalg: tf.linalg, losses: tf.losses };
    const more = { signal: tf.signal, sparse: tf.sparse, string: tf.string, math: tf.math };
    const names = [
      ...Object.entries(tf)
        .filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name))
        .map(([name]) => name),
      ...Object.entries({ ...spaces, ...more, train: tf.train }).flatMap(([space, functions]) =>
        Object.keys(functions).map((name) => `${space}.${name}`),
      ),
    ];
    const known = new Set([
      ...operations.map(([name]) => name),
      ...refused.map(([name]) => name),
      ...Object.keys(optimisers).map((name) => `train.${name}`),
      ...withoutKernel,
      ...noOperations,
    ]);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !names.includes(name))).toEqual([]);
  });

  test('that is refused, or that TF.js lacks in Node, is in docs/engine.md', () => {
    const page = readFileSync(join(__dirname, '../docs/engine.md'), 'utf8');
    const names = [...refused.map(([name]) => name), ...withoutKernel];
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('gradients', () => {
  const four = (t: tf.Tensor): tf.Tensor4D => t as tf.Tensor4D;
  const one = (t: tf.Tensor): tf.Tensor1D => t as tf.Tensor1D;
  /** A weighted sum, so that no gradient is all ones. */
  const weigh = (t: tf.Tensor): tf.Tensor =>
    t
      .mul(
        tf
          .range(1, t.size + 1)
          .div(t.size)
          .reshape(t.shape),
      )
      .sum();

  test.each<[string, Record<string, number[]>, (...inputs: tf.Tensor[]) => tf.Tensor]>([
    [
      'conv2d x=[2,5,5,3] k=[3,3,3,2] s=1 p=same',
      { x: [2, 5, 5, 3], k: [3, 3, 3, 2] },
      (x, k) => tf.conv2d(four(x), four(k), 1, 'same'),
    ],
    [
      'conv2d x=[2,7,6,3] k=[2,3,3,2] s=2 p=valid',
      { x: [2, 7, 6, 3], k: [2, 3, 3, 2] },
      (x, k) => tf.conv2d(four(x), four(k), 2, 'valid'),
    ],
    ['matMul [3,4] x [4,5]', { a: [3, 4], b: [4, 5] }, (a, b) => tf.matMul(a, b)],
    [
      'matMul [2,4,3]^T x [2,5,4]^T',
      { a: [2, 4, 3], b: [2, 5, 4] },
      (a, b) => tf.matMul(a, b, true, true),
    ],
    ['maxPool x=[2,5,4,3]', { x: [2, 5, 4, 3] }, (x) => tf.maxPool(four(x), 2, 2, 'same')],
    ['avgPool x=[2,5,4,3]', { x: [2, 5, 4, 3] }, (x) => tf.avgPool(four(x), 3, 1, 'same')],
    [
      'batchNormTraining x=[4,3,3,5]',
      { x: [4, 3, 3, 5], scale: [5], bias: [5] },
      (x, scale, bias) => batchNormTraining(four(x), one(scale), one(bias), 1e-5).output,
    ],
    ['relu x=[3,7]', { x: [3, 7] }, (x) => relu(x)],
    ['gather x=[5,3]', { x: [5, 3] }, (x) => tf.gather(x, tf.tensor1d([4, 0, 4, 2], 'int32'))],
    ['concat [2,3] [2,2]', { a: [2, 3], b: [2, 2] }, (a, b) => tf.concat([a, b, a], 1)],
    [
      'pad x=[2,3]',
      { x: [2, 3] },
      (x) =>
        tf.pad(x, [
          [1, 0],
          [2, 1],
        ]),
    ],
    [
      'logSoftmax of a small network',
      { x: [4, 6, 6, 3], k: [3, 3, 3, 4], scale: [4], bias: [4], w: [4, 5] },
      (x, k, scale, bias, w) => {
        const conv = tf.conv2d(four(x), four(k), 1, 'same');
        const bn = batchNormTraining(conv, one(scale), one(bias), 1e-5).output;
        const pooled = tf.maxPool(four(relu(bn)), 2, 2, 'valid').max<tf.Tensor2D>([1, 2]);
        return tf.logSoftmax(tf.matMul(pooled, w));
      },
    ],
  ])('%s', async (name, inputs, body) => {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([key, shape], seed) => [key, uniform(shape, seed + 1)]),
    );
    const found = await expectSame(
      name,
      (given) => tf.grads((...all) => weigh(body(...all)))(Object.values(given)),
      feeds,
    );
    for (const { data } of Object.values(found)) expect(data.some((g) => g !== 0)).toBe(true);
  });
});

describe('gradients that TF.js does not have', () => {
  test.each<[string, (t: tf.Tensor) => tf.Tensor]>([
    ['einsum', (t) => tf.einsum('ij,kj->ik', t, t)],
    ['stridedSlice', (t) => t.stridedSlice([0, 0], [3, 4], [2, 2])],
    ['a comparison', (t) => t.mul(t.greater(0).cast('float32'))],
    [
      'dilation',
      (t) => tf.conv2d(t.reshape([1, 3, 4, 1]), tf.ones([2, 2, 1, 1]), 1, 'same', 'NHWC', 2),
    ],
    ['cumsum of rows', (t) => t.cumsum(0)],
    ['unstack of one', (t) => tf.unstack(t.reshape([1, 12]))[0]],
    ['maximum, broadcast', (t) => t.maximum(t.slice([0, 0], [1, 4]))],
    ['minimum, broadcast', (t) => t.minimum(t.slice([0, 0], [1, 4]))],
    ['squaredDifference, broadcast', (t) => t.squaredDifference(t.slice([0, 0], [1, 4]))],
    ['matMul, broadcast', (t) => tf.matMul(tf.ones([2, 3, 3]), t.reshape([1, 3, 4]))],
  ])('%s: neither eager nor captured', async (name, body) => {
    const attempt = async (mode: SessionMode): Promise<string> => {
      const of = (given: Readonly<Record<string, tf.Tensor>>): tf.Tensor =>
        tf.grad((t) => body(t).sum())(given['t']);
      return runOnce(mode, name, of, { t: uniform([3, 4], 1) }).then(
        () => 'ran',
        (error: Error) => error.message,
      );
    };
    const message = await attempt('captured');
    expect(message).toMatch(/gradient|stack/);
    expect(message).toBe(await attempt('eager'));
  });
});

describe('random chains of operations', () => {
  const chain = fc.record({
    shape: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 }),
    links: fc.array(
      fc.record({
        op: fc.constantFrom(...steps.keys()),
        choice: fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 }),
      }),
      { minLength: 2, maxLength: 9 },
    ),
    seed: fc.integer({ min: 1, max: 2 ** 20 }),
  });
  const inputs = ({ shape, seed }: Chain): Feeds => ({
    x: uniform(shape, seed),
    w: uniform([256], seed + 1),
  });

  test('captured(f)(x) = f(x)', async () => {
    await fc.assert(
      fc.asyncProperty(chain, async (given) => {
        await expectSame(
          'chain',
          ({ x, w }) => runChain(given, x, w, false),
          inputs(given),
          roundingOfChains,
        );
      }),
      { numRuns: 100, seed: 20181013 },
    );
  });

  test('the gradients of its sum are equal, too', async () => {
    await fc.assert(
      fc.asyncProperty(chain, async (given) => {
        await expectSame(
          'gradients of a chain',
          ({ x, w }) => tf.grads((a, b) => runChain(given, a, b, true).sum())([x, w]),
          inputs(given),
          roundingOfChains,
        );
      }),
      { numRuns: 100, seed: 20181013 },
    );
  });
});
