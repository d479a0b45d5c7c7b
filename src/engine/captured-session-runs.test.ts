import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { EngineError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { loadGraphAddon } from './native';
import type { OnDevice } from './session';
import { loadTensorflow } from './tensorflow';
import { scalar, useSessions, vector } from '../../test/captured-sessions';

beforeAll(() => {
  loadTensorflow();
});

const session = useSessions();

test('writes keep nothing of earlier writes', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const state = session({ x: scalar(0) });
  const heldAfter = async (writes: number): Promise<number> => {
    for (let i = 0; i < writes; i++) state.write({ x: scalar(i) });
    await state.read('x');
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await heldAfter(1000);
  const after = await heldAfter(5000);
  expect((after - before) / 5000).toBeLessThan(20); // bytes; an empty array takes 16 and its elements as many
});

describe('runs', () => {
  test('continue while another step is captured', async () => {
    const state = session({ w: filled([512, 512], 1e-3), sum: scalar(0) });
    const slow = state.capture(
      'slow',
      ({ w }) => {
        let product = w;
        for (let i = 0; i < 10; i++) product = tf.matMul(product, w);
        return { state: { w: product.mul(1e3) } };
      },
      {},
    );
    const runs = [slow({}), slow({})];
    const captured: Promise<unknown>[] = [];
    for (let i = 1; i <= 20; i++) {
      const add = state.capture(
        `add ${i}`,
        ({ sum }) => ({ state: { sum: sum.mul(2).add(i) } }),
        {},
      );
      captured.push(add({}));
      // Gives the thread of the runs time to progress.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await Promise.all([...runs, ...captured]);
    let expected = 0;
    for (let i = 1; i <= 20; i++) expected = expected * 2 + i;
    expect(await state.read('sum')).toEqual({ sum: scalar(expected) });
  });

  test('record nothing', async () => {
    const addNode = vi.spyOn(loadGraphAddon(), 'addNode');
    const state = session({ w: vector(1, 2) });
    let calls = 0;
    const step = state.capture(
      'step',
      ({ w }, { x }) => {
        calls += 1;
        return { state: { w: tf.grad((t) => t.square().mul(x).sum())(w) } };
      },
      { x: 0 },
    );
    const recorded = addNode.mock.calls.length;
    expect(recorded).toBeGreaterThan(5);
    for (const x of [1, 2, 3]) await step({ x });
    await state.read('w');
    state.write({ w: vector(0, 0) });
    await step({ x: 1 });
    expect(calls).toBe(1);
    expect(addNode.mock.calls.length).toBe(recorded);
    addNode.mockRestore();
  });

  test('that fail name the step and leave the session usable', async () => {
    const state = session({ table: vector(10, 20, 30), sum: scalar(0) });
    const look = state.capture(
      'look up',
      ({ table, sum }, { at }) => ({
        state: { sum: sum.add(tf.gather(table, at).sum()) },
      }),
      { at: new Int32Array(2) },
    );
    await look({ at: Int32Array.of(0, 2) });
    const error = await look({ at: Int32Array.of(0, 3) }).then(
      () => new Error('ran'),
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(EngineError);
    expect(error.message).toMatch(
      /^session: step "look up" failed in TensorFlow: indices\[1\] = 3 is not in \[0, 3\)\. The state may already contain part/,
    );
    await look({ at: Int32Array.of(1, 1) });
    expect(await state.read('sum')).toEqual({ sum: scalar(80) });
  });

  test('do not leak memory: 3,000 runs of a small step', async () => {
    const state = session({ w: filled([64, 64], 0.01), steps: scalar(0) });
    const step = state.capture(
      'step',
      ({ w, steps }, { x, lr }) => {
        const gradient = tf.grad((t) => tf.matMul(x, t).square().mean())(w);
        return {
          state: { w: w.sub(gradient.mul(lr)), steps: steps.add(1) },
          outputs: { norm: gradient.norm() },
        };
      },
      { x: filled([64, 64], 0), lr: 0 },
    );
    const x = filled([64, 64], 1);
    const times = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await step({ x, lr: 0.1 });
    };
    await times(500);
    const [tensors, rss] = [tf.memory().numTensors, process.memoryUsage().rss];
    await times(3000);
    expect(tf.memory().numTensors).toBe(tensors);
    // A leak of one 16 kB feed per run would be 48 MB.
    expect(process.memoryUsage().rss - rss).toBeLessThan(16 * 2 ** 20);
    expect(await state.read('steps')).toEqual({ steps: scalar(3500) });
  });

  test('do not block the event loop', async () => {
    const state = session({ w: filled([768, 768], 1e-3) });
    const products = (count: number): ((feeds: object) => Promise<unknown>) =>
      state.capture(
        `${count} products`,
        ({ w }) => {
          let product = w;
          for (let i = 0; i < count; i++) product = tf.matMul(product, w);
          return { outputs: { sum: product.sum() } };
        },
        {},
      ) as (feeds: object) => Promise<unknown>;
    const time = async (run: (feeds: object) => Promise<unknown>): Promise<number> => {
      const start = performance.now();
      await run({});
      return performance.now() - start;
    };
    // Enough products to take a tenth of a second on this machine, which is ten beats of the timer.
    let count = 4;
    let slow = products(count);
    await time(slow);
    while ((await time(slow)) < 100) {
      count *= 2;
      slow = products(count);
      await time(slow);
    }
    let beats = 0;
    const timer = setInterval(() => (beats += 1), 10);
    for (let run = 0; run < 3; run++) await time(slow);
    clearInterval(timer);
    // If a run blocked the thread, the timer would beat once per run.
    expect(beats).toBeGreaterThan(2 * 3);
  });
});

describe('dispose()', () => {
  test('lets earlier runs finish', async () => {
    const state = session({ w: filled([512, 512], 1e-3) });
    const step = state.capture(
      'step',
      ({ w }: OnDevice<{ w: HostTensor }>) => {
        const next = tf.matMul(w, w);
        return { state: { w: next }, outputs: { max: next.max() } };
      },
      {},
    );
    const runs = [step({}), step({}), step({})];
    const last = state.read('w');
    state.dispose();
    for (const { max } of await Promise.all(runs)) expect(max.data[0]).toBeGreaterThan(0);
    expect((await last).w.shape).toEqual([512, 512]);
  });
});
