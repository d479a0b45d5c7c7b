import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { EngineError } from '../base/errors';
import { parseRunMetadata, summariseProfile } from './profile';
import { createSession } from './session';

const matrix = { shape: [300, 300], data: new Float32Array(90_000).fill(0.01) };

test('times every operation of the steps within, and none outside', async () => {
  const session = createSession({ a: matrix });
  try {
    const step = session.capture(
      'product',
      ({ a }) => ({ state: { a: tf.matMul(a, a).sigmoid() } }),
      {},
    );
    await step({});
    const started = performance.now();
    const { result, nodes } = await session.profile(async () => {
      await step({});
      await step({});
      return 'done';
    });
    const wallMs = performance.now() - started;
    await step({});
    expect(result).toBe('done');
    const sums = summariseProfile(nodes);
    const product = sums.find(({ op }) => op.includes('MatMul'));
    const sigmoid = sums.find(({ op }) => op.includes('Sigmoid'));
    expect(product?.count).toBe(2);
    expect(sigmoid?.count).toBe(2);
    expect(product?.ms).toBeGreaterThan(0);
    expect(product?.ms).toBeLessThan(wallMs);
    expect(sums.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(sums.map(({ ms }) => ms)).toEqual(sums.map(({ ms }) => ms).toSorted((a, b) => b - a));
    for (const { startUs, durationUs } of nodes) {
      expect(startUs).toBeGreaterThan(0);
      expect(durationUs).toBeGreaterThanOrEqual(0);
    }
    // The second of the two runs starts after the first.
    const starts = nodes.filter(({ op }) => op.includes('MatMul')).map(({ startUs }) => startUs);
    expect(starts[1]).toBeGreaterThan(starts[0]);
  } finally {
    session.dispose();
  }
});

test('profiles do not nest, and a failed one leaves the session usable', async () => {
  const session = createSession({ a: matrix });
  try {
    await expect(session.profile(() => session.profile(() => Promise.resolve()))).rejects.toThrow(
      'session: profile() was called inside another profile().',
    );
    const { nodes } = await session.profile(() => session.read('a'));
    expect(nodes.length).toBeGreaterThan(0);
  } finally {
    session.dispose();
  }
});

test('an eager session has no operations to time', async () => {
  const session = createSession({ a: matrix }, { mode: 'eager' });
  await expect(session.profile(() => Promise.resolve())).rejects.toThrow(EngineError);
  session.dispose();
});

test('metadata is read field by field; unknown fields are skipped', () => {
  const text = (value: string): number[] => [...new TextEncoder().encode(value)];
  const message = (id: number, body: readonly number[]): number[] => [
    (id << 3) | 2,
    body.length,
    ...body,
  ];
  const node = [
    message(1, text('Relu_7')),
    [2 << 3, 0x80, 0x08], // all_start_micros: 1024
    [3 << 3, 2],
    [4 << 3, 0xac, 0x02], // op_end_rel_micros: 300
    message(8, text('Relu_7 = _FusedRelu(Conv2D_6)')),
    [(9 << 3) | 5, 1, 2, 3, 4], // 32 bits that are not read
    [(10 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8],
  ].flat();
  const bytes = Uint8Array.from(message(1, message(1, message(2, node))));
  expect(parseRunMetadata(bytes.buffer)).toEqual([
    { name: 'Relu_7', op: '_FusedRelu', startUs: 1026, durationUs: 298 },
  ]);
  expect(parseRunMetadata(new ArrayBuffer(0))).toEqual([]);
});
