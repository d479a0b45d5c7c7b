import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { CaptureError } from '../base/errors';
import { createSession } from './session';
import type { OnDevice, Session, SessionOptions, Step } from './session';
import { createRng } from '../base/rng';

const rng = createRng(0, 'function-call');
const random = (...shape: number[]): { shape: number[]; data: Float32Array } => ({
  shape,
  data: rng.fillUniform(new Float32Array(shape.reduce((a, b) => a * b, 1)), -1, 1),
});
const state = {
  weight: random(3, 3, 4, 8),
  velocity: { shape: [3, 3, 4, 8], data: new Float32Array(288) },
  images: random(20, 6, 6, 4),
  seen: { shape: [], data: Int32Array.of(0) },
};
type State = typeof state;
type Feeds = { readonly order: Int32Array; readonly lr: number };

/** A gradient descent step on images given by index. */
const descend: Step<State, Feeds, Record<string, never>> = (
  { weight, velocity, images, seen },
  { order, lr },
) => {
  const batch = tf.gather(images, order) as tf.Tensor4D;
  const gradient = tf.grad((w) => tf.sum(tf.square(tf.conv2d(batch, w as tf.Tensor4D, 1, 'same'))));
  const moved = tf.add(tf.mul(velocity, 0.9), gradient(weight));
  return {
    state: {
      weight: tf.sub(weight, tf.mul(moved, lr)),
      velocity: moved,
      seen: tf.add(seen, tf.scalar(1, 'int32')),
    },
  };
};

const orders = Array.from({ length: 5 }, (_, i) =>
  Int32Array.from({ length: 4 }, (_, j) => (7 * i + 3 * j) % 20),
);
const rates = [0.001, 0.002, 0.0015, 0.0005, 0.0001];

async function oneByOne(session: Session<State>): Promise<State> {
  const run = session.capture('descend', descend, { order: orders[0], lr: 0 });
  for (const [i, order] of orders.entries()) await run({ order, lr: rates[i] });
  return session.read('weight', 'velocity', 'seen', 'images');
}

async function allAtOnce(session: Session<State>): Promise<State> {
  const run = session.captureLoop('descend', 5, descend, { order: orders[0], lr: 0 });
  const order = { shape: [5, 4], data: Int32Array.from(orders.flatMap((row) => [...row])) };
  await run({ order, lr: Float32Array.from(rates) });
  return session.read('weight', 'velocity', 'seen', 'images');
}

async function trained(
  options: SessionOptions,
  how: (session: Session<State>) => Promise<State>,
): Promise<State> {
  const session = createSession<State>(state, options);
  try {
    return await how(session);
  } finally {
    session.dispose();
  }
}

test.each([
  { mode: 'captured', precision: 'fp32' },
  { mode: 'captured', precision: 'bf16' },
  { mode: 'eager' },
] as const)('five steps in a call equal five calls: $mode $precision', async (options) => {
  const [single, loop] = [await trained(options, oneByOne), await trained(options, allAtOnce)];
  expect(single.seen.data[0]).toBe(5);
  expect(single.weight.data).not.toEqual(state.weight.data);
  expect(loop).toEqual(single);
});

test('a step and a loop, each as one XLA program, give the same numbers up to rounding', async () => {
  const plain = await trained({}, oneByOne);
  for (const how of [oneByOne, allAtOnce]) {
    const compiled = await trained({ xla: true, xlaScope: 'step' }, how);
    expect(compiled.seen.data[0]).toBe(5);
    const difference = Math.max(
      ...compiled.weight.data.map((value, i) => Math.abs(value - plain.weight.data[i])),
    );
    expect(difference).toBeLessThan(1e-5);
  }
});

test('XLA compiles a loop as a whole: no convolution runs separately', async () => {
  const session = createSession<State>(state, { xla: true, xlaScope: 'step' });
  try {
    const run = session.captureLoop('descend', 5, descend, { order: orders[0], lr: 0 });
    const feeds = {
      order: { shape: [5, 4], data: new Int32Array(20) },
      lr: Float32Array.from(rates),
    };
    await run(feeds);
    const { nodes } = await session.profile(() => run(feeds));
    expect(nodes.length).toBeGreaterThan(0);
    expect(nodes.filter(({ op }) => /Conv2D|While|MatMul/.test(op))).toEqual([]);
  } finally {
    session.dispose();
  }
});

test('a compiled step returns outputs, also an input as an output', async () => {
  const session = createSession<State>(state, { xla: true, xlaScope: 'step' });
  try {
    const run = session.capture(
      'outputs',
      ({ weight }, { a }) => ({ outputs: { sum: tf.add(tf.sum(weight), a), same: a } }),
      { a: 0 },
    );
    const { sum, same } = await run({ a: 2 });
    const total = state.weight.data.reduce((all, value) => all + value, 2);
    expect(sum.data[0]).toBeCloseTo(total, 4);
    expect(same.data[0]).toBe(2);
  } finally {
    session.dispose();
  }
});

test.each(['captured', 'eager'] as const)('a loop rejects wrong arguments: %s', async (mode) => {
  const session = createSession<State>(state, { mode });
  try {
    expect(() => session.captureLoop('none', 0, descend, { order: orders[0], lr: 0 })).toThrow(
      CaptureError,
    );
    const giving = async (): Promise<unknown> => {
      const step = ({ weight }: OnDevice<State>): object => ({ outputs: { sum: tf.sum(weight) } });
      return session.captureLoop('gives', 2, step, {})({});
    };
    await expect(giving()).rejects.toThrow(
      /"gives" runs 2 times per call and must not return outputs; it returns "sum"/,
    );
    const run = session.captureLoop('short', 5, descend, { order: orders[0], lr: 0 });
    const order = { shape: [4, 4], data: new Int32Array(16) };
    await expect(run({ order, lr: Float32Array.from(rates) })).rejects.toThrow(CaptureError);
  } finally {
    session.dispose();
  }
});
