import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { filled } from '../base/host-tensor';
import { createSession } from './session';
import { loadTensorflow } from './tensorflow';

beforeAll(() => {
  loadTensorflow();
});

describe.each(['eager', 'captured'] as const)('a session, %s', (mode) => {
  test('keeps its state between steps and leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    const session = createSession(
      { params: { w: filled([2], 1) }, count: filled([], 0) },
      { mode },
    );
    const held = tf.memory().numTensors;
    const step = session.capture(
      'step',
      ({ params, count }, { lr }) => ({
        state: { params: { w: params.w.add(lr) }, count: count.add(1) },
        outputs: { sum: params.w.sum() },
      }),
      { lr: 0 },
    );
    expect(await step({ lr: 0.5 })).toEqual({ sum: { shape: [], data: new Float32Array([2]) } });
    expect(await step({ lr: 0.25 })).toEqual({ sum: { shape: [], data: new Float32Array([3]) } });
    expect(await session.read('params', 'count')).toEqual({
      params: { w: { shape: [2], data: new Float32Array([1.75, 1.75]) } },
      count: { shape: [], data: new Float32Array([2]) },
    });
    expect(tf.memory().numTensors).toBe(held);
    session.write({ count: filled([], 7) });
    expect(await session.read('count')).toEqual({
      count: { shape: [], data: new Float32Array([7]) },
    });
    session.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test('names the part of the state that a step may not set', async () => {
    const session = createSession({ count: filled([], 0) }, { mode });
    await expect(async () => {
      // @ts-expect-error the compiler sees the slip too
      await session.capture('a', () => ({ state: { coutn: tf.scalar(1) } }), {})({});
    }).rejects.toThrow(/step "a" sets "coutn".*Nearest: "count"/);
    await expect(async () => {
      await session.capture('b', () => ({ state: { count: tf.zeros([3]) } }), {})({});
    }).rejects.toThrow(/float32 \[3\]; it is float32 \[\]/);
    const good = session.capture('c', ({ count }) => ({ state: { count: count.add(1) } }), {});
    session.dispose();
    await expect(good({})).rejects.toThrow(/after dispose/);
  });
});
