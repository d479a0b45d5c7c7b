import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CaptureError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { mapTree } from '../base/tree';
import type { Tree } from '../base/tree';
import { createSession } from './session';
import type { Session } from './session';
import { isHost } from './step';
import { loadTensorflow } from './tensorflow';

beforeAll(() => {
  loadTensorflow();
});

function vector(...numbers: readonly number[]): HostTensor {
  return { shape: [numbers.length], data: Float32Array.from(numbers) };
}

function scalar(value: number): HostTensor {
  return { shape: [], data: new Float32Array([value]) };
}

/** How `body` fails. */
async function failure(body: () => unknown): Promise<Error> {
  try {
    await body();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe.each(['eager', 'captured'] as const)('a session, %s', (mode) => {
  const open: { dispose(): void }[] = [];

  /** A session that is closed at the end of the test. */
  function session<S extends Tree<HostTensor>>(initial: S): Session<S> {
    const made = createSession(initial, { mode });
    open.push(made);
    return made;
  }

  afterEach(() => {
    for (const made of open.splice(0)) made.dispose();
  });

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
      // @ts-expect-error the compiler reports the mistake too
      await session.capture('a', () => ({ state: { coutn: tf.scalar(1) } }), {})({});
    }).rejects.toThrow(/step "a" sets "coutn".*Nearest: "count"/);
    await expect(async () => {
      await session.capture('b', () => ({ state: { count: tf.zeros([3]) } }), {})({});
    }).rejects.toThrow(/float32 \[3\], but it is float32 \[\]/);
    const good = session.capture('c', ({ count }) => ({ state: { count: count.add(1) } }), {});
    session.dispose();
    await expect(good({})).rejects.toThrow(/after dispose/);
  });

  test('rejects an asynchronous step', async () => {
    const step = async (): Promise<never> => Promise.reject(new Error('never looked at'));
    const error = await failure(async () => {
      await session({}).capture('train', step as unknown as () => object, {})({});
    });
    expect(error).toBeInstanceOf(CaptureError);
    expect(error.message).toMatch(/^capture: "train" returned a promise/);
  });

  test('accepts feeds that are nested, unused or returned as outputs', async () => {
    const run = session({}).capture(
      'echo',
      (_state, { batch: { x }, flag }) => ({
        outputs: { x, again: { x, twice: x.mul(2) }, flag },
      }),
      {
        batch: { x: vector(0, 0), y: vector(0) },
        flag: { shape: [1], data: new Uint8Array([0]) },
      },
    );
    const flag = { shape: [1], data: new Uint8Array([1]) };
    expect(await run({ batch: { x: vector(1, 2), y: vector(0) }, flag })).toEqual({
      x: vector(1, 2),
      again: { x: vector(1, 2), twice: vector(2, 4) },
      flag,
    });
  });

  test('copies feeds when run() is called: their arrays may be overwritten immediately', async () => {
    const state = session({ log: vector(0, 0, 0) });
    const run = state.capture(
      'note',
      ({ log }, { x, at }) => ({
        state: { log: log.add(tf.oneHot(at.cast('int32'), 3).cast('float32').mul(x)) },
      }),
      { x: new Float32Array(1), at: 0 },
    );
    const x = new Float32Array(1);
    const runs: Promise<unknown>[] = [];
    for (let at = 0; at < 3; at++) {
      x[0] = at + 1;
      runs.push(run({ x, at }));
    }
    await Promise.all(runs);
    expect(await state.read('log')).toEqual({ log: vector(1, 2, 3) });
  });
  test('executes concurrent runs in the order of the calls', async () => {
    const state = session({ x: scalar(1) });
    const affine = state.capture(
      'affine',
      ({ x }, { a, b }) => ({ state: { x: x.mul(a).add(b) }, outputs: { before: x } }),
      { a: 0, b: 0 },
    );
    const other = state.capture('half', ({ x }) => ({ state: { x: x.mul(0.5) } }), {});
    // The state is not written yet when the first two are called.
    const runs = [affine({ a: 2, b: 1 }), affine({ a: 3, b: -1 })];
    const halved = other({});
    runs.push(affine({ a: 10, b: 0 }));
    const now = state.read('x');
    const befores = await Promise.all(runs);
    await halved;
    expect(befores.map(({ before }) => before.data[0])).toEqual([1, 3, 4]);
    expect(await now).toEqual({ x: scalar(40) });
  });

  test('keeps integers and booleans in its state', async () => {
    const state = session({
      step: { shape: [], data: new Int32Array([2 ** 30]) },
      seen: { shape: [2], data: new Uint8Array([0, 1]) },
    });
    const run = state.capture(
      'count',
      ({ step, seen }) => ({
        state: { step: step.add(tf.scalar(1, 'int32')), seen: seen.logicalNot() },
        outputs: { odd: step.mod(tf.scalar(2, 'int32')) },
      }),
      {},
    );
    await run({});
    expect(await run({})).toEqual({ odd: { shape: [], data: new Int32Array([1]) } });
    expect(await state.read('step', 'seen')).toEqual({
      step: { shape: [], data: new Int32Array([2 ** 30 + 2]) },
      seen: { shape: [2], data: new Uint8Array([0, 1]) },
    });
  });

  test('swaps two parts of the state when a step exchanges them', async () => {
    const state = session({ a: vector(1, 2), b: vector(3, 4), c: vector(5, 6) });
    const swap = state.capture('swap', ({ a, b }) => ({ state: { a: b, b: a } }), {});
    await swap({});
    expect(await state.read('a', 'b')).toEqual({ a: vector(3, 4), b: vector(1, 2) });
    const rotate = state.capture(
      'rotate',
      ({ a, b, c }) => ({ state: { a: b.clone(), b: c, c: a }, outputs: { a } }),
      {},
    );
    expect(await rotate({})).toEqual({ a: vector(3, 4) });
    expect(await state.read('a', 'b', 'c')).toEqual({
      a: vector(1, 2),
      b: vector(5, 6),
      c: vector(3, 4),
    });
    for (let i = 0; i < 99; i++) await swap({});
    expect(await state.read('a', 'b')).toEqual({ a: vector(5, 6), b: vector(1, 2) });
  });

  test('gives a step the state from before the step, however often it is read', async () => {
    const state = session({ a: scalar(1), b: scalar(10) });
    const step = state.capture(
      'step',
      ({ a, b }) => {
        const next = a.add(b);
        return { state: { a: next, b: a.mul(b) }, outputs: { a, b, next, later: a.sub(b) } };
      },
      {},
    );
    let [a, b] = [1, 10];
    for (let i = 0; i < 5; i++) {
      expect(await step({})).toEqual({
        a: scalar(a),
        b: scalar(b),
        next: scalar(a + b),
        later: scalar(a - b),
      });
      [a, b] = [Math.fround(a + b), Math.fround(a * b)];
    }
  });

  test('accepts an unchanged state, a part of it, or one tensor in two places', async () => {
    const state = session({ a: vector(1, 2), b: vector(3, 4), inner: { c: vector(5, 6) } });
    await state.capture('same', (all) => ({ state: all }), {})({});
    await state.capture('none', () => ({}), {})({});
    expect(await state.read('a', 'b', 'inner')).toEqual({
      a: vector(1, 2),
      b: vector(3, 4),
      inner: { c: vector(5, 6) },
    });
    const both = state.capture(
      'both',
      ({ a }) => {
        const next = a.add(1);
        return { state: { a: next, inner: { c: next } }, outputs: { next, again: next } };
      },
      {},
    );
    expect(await both({})).toEqual({ next: vector(2, 3), again: vector(2, 3) });
    expect(await state.read('a', 'b', 'inner')).toEqual({
      a: vector(2, 3),
      b: vector(3, 4),
      inner: { c: vector(2, 3) },
    });
    // The two are separate now: a change of the first does not affect the second.
    await state.capture('a only', ({ a }) => ({ state: { a: a.mul(10) } }), {})({});
    expect(await state.read('a', 'inner')).toEqual({
      a: vector(20, 30),
      inner: { c: vector(2, 3) },
    });
  });

  test('shares its state among steps, including those captured after a run', async () => {
    const state = session({ w: vector(1, 1), ema: vector(0, 0), steps: scalar(0) });
    const train = state.capture(
      'train',
      ({ w, steps }, { lr }) => ({ state: { w: w.add(lr), steps: steps.add(1) } }),
      { lr: 0 },
    );
    await train({ lr: 0.5 });
    const evaluate = state.capture('evaluate', ({ w }) => ({ outputs: { sum: w.sum() } }), {});
    expect(await evaluate({})).toEqual({ sum: scalar(3) });
    const average = state.capture(
      'ema',
      ({ w, ema }, { rho }) => ({ state: { ema: ema.mul(rho).add(w.mul(tf.sub(1, rho))) } }),
      { rho: 0 },
    );
    await average({ rho: 0.5 });
    await train({ lr: 1 });
    expect(await evaluate({})).toEqual({ sum: scalar(5) });
    expect(await state.read('w', 'ema', 'steps')).toEqual({
      w: vector(2.5, 2.5),
      ema: vector(0.75, 0.75),
      steps: scalar(2),
    });
  });

  test('can be written at any time, and read in parts', async () => {
    const state = session({ a: vector(1), inner: { b: vector(2), c: vector(3) } });
    const data = Float32Array.of(7);
    state.write({ inner: { b: { shape: [1], data } } });
    data[0] = 8; // The session has copied the 7.
    expect(await state.read('inner')).toEqual({ inner: { b: vector(7), c: vector(3) } });
    expect(await state.read()).toEqual({});
    const step = state.capture('step', ({ a, inner: { b } }) => ({ state: { a: a.add(b) } }), {});
    const first = step({});
    state.write({ inner: { b: vector(100) } }); // after the first run, before the second
    await Promise.all([first, step({})]);
    expect(await state.read('a')).toEqual({ a: vector(108) });
  });

  test('accepts names of any form', async () => {
    const state = session({
      'x/y': scalar(1),
      x: { y: scalar(2) },
      slot: { handle: scalar(3), assign: scalar(4), data: scalar(5) },
    });
    const step = state.capture(
      'step',
      ({ slot }) => ({ state: { x: { y: slot.handle.add(slot.data) } } }),
      {},
    );
    await step({});
    expect(await state.read('x/y', 'x', 'slot')).toEqual({
      'x/y': scalar(1),
      x: { y: scalar(8) },
      slot: { handle: scalar(3), assign: scalar(4), data: scalar(5) },
    });
  });

  test.each([
    [
      'an unknown part',
      { inner: { weigth: vector(1) } },
      /sets "inner\/weigth", which is not in the state\..*Nearest: "(inner\/)?weight"\. Add it to the initial state\.$/,
    ],
    [
      'another shape',
      { inner: { weight: vector(1, 2) } },
      /sets "inner\/weight" to float32 \[2\], but it is float32 \[1\]\. Types and shapes are fixed; open a new session/,
    ],
    [
      'another type',
      { inner: { weight: { shape: [1], data: new Int32Array(1) } } },
      /sets "inner\/weight" to int32 \[1\], but it is float32 \[1\]/,
    ],
    [
      'an object instead of a tensor',
      { inner: { weight: { data: vector(1) } } },
      /sets "inner\/weight(\/data", which is not in the state|", but only one of the old and the new value is a tensor)/,
    ],
  ] as const)('is never given a state with %s', async (_, values, message) => {
    const state = session({ inner: { weight: vector(1) } });
    const before = tf.memory().numTensors;
    const written = await failure(() => {
      state.write(values as never);
    });
    const onDevice = (tree: Tree<HostTensor>): Tree<tf.Tensor> =>
      mapTree(tree, isHost, ({ data, shape }) => tf.tensor(data, shape as number[]));
    const stepped = await failure(async () => {
      await state.capture('train', () => ({ state: onDevice(values) as never }), {})({});
    });
    for (const [error, where] of [
      [written, 'write()'],
      [stepped, 'step "train"'],
    ] as const) {
      expect(error).toBeInstanceOf(CaptureError);
      expect(error.message).toMatch(message);
      expect(error.message.startsWith(`session: ${where} sets`)).toBe(true);
    }
    expect(tf.memory().numTensors).toBe(before);
    expect(await state.read('inner')).toEqual({ inner: { weight: vector(1) } });
  });

  test('suggests the nearest name for an unknown part', async () => {
    const state = session({ weight: vector(1) });
    await expect(state.read('wieght' as 'weight')).rejects.toThrow(
      /^session: the state has no "wieght".*Nearest: "weight"/,
    );
  });

  test('is separate from another session with the same names', async () => {
    const [a, b] = [session({ w: scalar(1) }), session({ w: scalar(100) })];
    const [runA, runB] = [a, b].map((one) =>
      one.capture('add', ({ w }, { x }) => ({ state: { w: w.add(x) } }), { x: 0 }),
    );
    await Promise.all([runA({ x: 1 }), runB({ x: 1 }), runA({ x: 1 }), runB({ x: 2 })]);
    a.dispose();
    await runB({ x: 0.5 });
    expect(await b.read('w')).toEqual({ w: scalar(103.5) });
  });
  test('is closed for good by dispose(), which may be called twice', async () => {
    const state = session({ w: scalar(1) });
    const step = state.capture('step', ({ w }) => ({ state: { w: w.add(1) } }), {});
    await step({});
    state.dispose();
    state.dispose();
    const message = (what: string): string =>
      `session: ${what} was called after dispose(). Open a new session.`;
    await expect(step({})).rejects.toThrow(message('step "step"'));
    await expect(state.read('w')).rejects.toThrow(message('read()'));
    expect(() => state.write({ w: scalar(2) })).toThrow(message('write()'));
    expect(() => state.capture('other', () => ({}), {})).toThrow(message('capture("other")'));
  });
});

test('an unknown mode or precision is refused', () => {
  expect(() => createSession({}, { precision: 'float16' as never })).toThrow(
    'session: precision must be fp32 or bf16 or fp16; got "float16".',
  );
  expect(() => createSession({}, { mode: 'eagre' as never })).toThrow(
    'session: mode must be captured or eager; got "eagre".',
  );
});
