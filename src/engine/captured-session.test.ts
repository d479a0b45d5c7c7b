import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { CaptureError } from '../base/errors';
import { filled } from '../base/host-tensor';
import { summariseGraph } from './print';
import { loadTensorflow } from './tensorflow';
import { scalar, useSessions, vector } from '../../test/captured-sessions';

beforeAll(() => {
  loadTensorflow();
});

const session = useSessions();

function failing(message: string): never {
  throw new TypeError(message);
}

/** What `body` throws. */
function thrown(body: () => unknown): Error {
  try {
    body();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('a step that cannot be recorded', () => {
  const refused: readonly (readonly [
    what: string,
    step: (x: tf.Tensor) => tf.Tensor,
    message: RegExp,
  ])[] = [
    [
      'reads a value with dataSync()',
      (x) => x.mul(x.dataSync()[0]),
      /^capture: dataSync\(\) was called while recording "train"; .*Return the tensor as an output/,
    ],
    [
      'reads a value with arraySync()',
      (x) => x.mul((x.arraySync() as number[])[0]),
      /^capture: dataSync\(\) was called while recording "train"/,
    ],
    [
      'reads a constant of its own',
      (x) => x.mul(tf.scalar(2).dataSync()[0]),
      /^capture: dataSync\(\) was called while recording "train"/,
    ],
    [
      'draws tf.randomNormal',
      (x) => x.add(tf.randomNormal([2])),
      /^capture: "train" draws random numbers while it is recorded; every run would repeat them\. Draw them before/,
    ],
    ['draws tf.randomUniform', (x) => x.add(tf.randomUniform([2])), /"train" draws random numbers/],
    [
      'draws tf.truncatedNormal',
      (x) => x.add(tf.truncatedNormal([2])),
      /"train" draws random numbers/,
    ],
    ['draws tf.randomGamma', (x) => x.add(tf.randomGamma([2], 1)), /"train" draws random numbers/],
    ['draws tf.dropout', (x) => tf.dropout(x, 0.5), /"train" draws random numbers/],
    [
      'draws tf.rand from Math.random',
      (x) => x.add(tf.rand([2], () => Math.random())),
      /"train" draws random numbers/,
    ],
    [
      'draws tf.multinomial',
      (x) => tf.multinomial(x as tf.Tensor1D, 3),
      /"train" draws random numbers/,
    ],
    [
      'draws tf.multinomial with a seed',
      (x) => tf.multinomial(x as tf.Tensor1D, 3, 7),
      /^capture: "train" draws random numbers \("Multinomial"\)\. Draw them before/,
    ],
    [
      'has an operation whose shape depends on values',
      (x) => tf.unique(x).values,
      /^capture: "train" cannot record "UniqueV2": the shape of output 0 depends on values \(\[-1\]\).*depend only on input shapes/,
    ],
    [
      'makes a constant of more than 1 MB',
      (x) => x.add(tf.tensor1d(Float32Array.from({ length: 300_000 }, (_, i) => i)).sum()),
      /^capture: "train" creates a constant \[300000\] of 1200000 bytes; the limit is 1048576\. Pass it as an input, or put it into the state/,
    ],
    [
      'returns a complex number',
      (x) => tf.complex(x, x),
      /^capture: "train" returns "y" of type complex64, which has no JavaScript array type\. Cast it to float32 or int32/,
    ],
    [
      'uses a string tensor',
      (x) => x.add(tf.tensor1d(['a', 'b']).equal('a').cast('float32')),
      /^capture: "train" uses a string tensor.*only numbers and booleans/,
    ],
  ];

  test.each(refused)('%s', (_, step, message) => {
    const error = thrown(() =>
      session({}).capture('train', (_state, { x }) => ({ outputs: { y: step(x) } }), {
        x: vector(1, 2),
      }),
    );
    expect(error).toBeInstanceOf(CaptureError);
    expect(error.message).toMatch(message);
  });

  test('awaits data()', async () => {
    let read: Promise<unknown> | undefined;
    session({}).capture(
      'train',
      (_state, { x }) => {
        read = x.data();
        return { outputs: { x: x.neg() } };
      },
      { x: 1 },
    );
    await expect(read).rejects.toThrow(/^capture: data\(\) was called while recording "train"/);
  });

  test('captures another step within itself', () => {
    const state = session({ w: scalar(1) });
    const error = thrown(() =>
      state.capture(
        'outer',
        ({ w }) => {
          state.capture('inner', () => ({}), {});
          return { outputs: { w: w.add(1) } };
        },
        {},
      ),
    );
    expect(error.message).toMatch(
      /^capture: "inner" is captured while another step is being recorded\. Capture one step after the other\.$/,
    );
  });

  test('is rejected by TensorFlow: the message names the step and the operation', () => {
    const error = thrown(() =>
      session({}).capture(
        'train',
        (_state, { x }) => {
          // TF.js looks at the rank only.
          const filter = tf.zeros<tf.Rank.R4>([3, 3, 1, 1]);
          return { outputs: { y: tf.conv2d(x as tf.Tensor4D, filter, 1, 'valid') } };
        },
        { x: filled([1, 2, 2, 1], 1) },
      ),
    );
    expect(error).toBeInstanceOf(CaptureError);
    expect(error.message).toMatch(
      /^capture: "train" cannot record "Conv2D": Negative dimension size/,
    );
  });

  test('leaves the backend, Math.random and the next recordings as they were', async () => {
    const state = session({ w: vector(1, 2) });
    const { backend } = loadTensorflow();
    const { random } = Math;
    const own = Object.keys(backend);
    const before = tf.memory().numTensors;
    const faults: readonly (readonly [fault: (w: tf.Tensor) => tf.Tensor, message: RegExp])[] = [
      [(w) => w.mul(w.dataSync()[0]), /dataSync/],
      [(w) => tf.unique(w).values, /depends on values/],
      [() => tf.randomNormal([2]), /random numbers/],
      [() => failing('of the step itself'), /of the step itself/],
      [(w) => tf.grad(() => failing('in a gradient'))(w), /in a gradient/],
    ];
    for (const [fault, message] of faults) {
      expect(() => state.capture('bad', ({ w }) => ({ state: { w: fault(w) } }), {})).toThrow(
        message,
      );
      expect(Math.random).toBe(random);
      expect(Object.keys(backend)).toEqual(own);
    }
    expect(tf.memory().numTensors).toBe(before);
    expect([...tf.tidy(() => tf.tensor1d([1, 2]).mul(3).dataSync())]).toEqual([3, 6]);
    expect([
      ...tf.tidy(() =>
        tf
          .grad((x) => x.square())(tf.tensor1d([1, 2]))
          .dataSync(),
      ),
    ]).toEqual([2, 4]);
    const good = state.capture('good', ({ w }) => ({ state: { w: w.mul(2) } }), {});
    await good({});
    expect(await state.read('w')).toEqual({ w: vector(2, 4) });
  });

  test('may continue after it catches the error of an operation of unknown shape', async () => {
    const run = session({}).capture(
      'train',
      () => {
        const x = tf.tensor1d([2, 1]);
        expect(() => tf.topk(x.mul(2), 1).values && tf.unique(x)).toThrow(CaptureError);
        expect(() => tf.unique(x)).toThrow(/depends on values/);
        return { outputs: { y: x.add(1) } };
      },
      {},
    );
    expect(await run({})).toEqual({ y: vector(3, 2) });
  });
});

describe('a tensor from outside the step', () => {
  test.each(['used before', 'never used'])('that an operation reads, %s', (when) => {
    const foreign = tf.tensor1d([1, 2]);
    if (when === 'used before') foreign.square().dispose();
    const error = thrown(() =>
      session({}).capture('train', (_state, { x }) => ({ outputs: { y: x.add(foreign) } }), {
        x: vector(1, 2),
      }),
    );
    foreign.dispose();
    expect(error).toBeInstanceOf(CaptureError);
    expect(error.message).toMatch(
      /^capture: "train" uses a float32 tensor \[2\] that was created outside the step; .*Pass it as an input, or put it into the state\.$/,
    );
  });

  test('that is an output, or a new value of the state', () => {
    const foreign = tf.scalar(1);
    const state = session({ w: scalar(0) });
    const message = /uses a float32 tensor \[\] that was created outside/;
    expect(() => state.capture('a', () => ({ outputs: { foreign } }), {})).toThrow(message);
    expect(() => state.capture('b', () => ({ state: { w: foreign } }), {})).toThrow(message);
    foreign.dispose();
  });

  test('that is a variable of TF.js', () => {
    const variable = tf.variable(tf.scalar(1));
    expect(() =>
      session({}).capture('a', (_state, { x }) => ({ outputs: { y: variable.add(x) } }), { x: 1 }),
    ).toThrow(/created outside/);
    variable.dispose();
  });

  test('that another recording made', () => {
    let kept: tf.Tensor | undefined;
    session({}).capture(
      'first',
      (_state, { x }) => {
        kept = tf.keep(x.add(1));
        return {};
      },
      { x: 1 },
    );
    expect(() =>
      session({}).capture('second', () => ({ outputs: { y: (kept as tf.Tensor).add(1) } }), {}),
    ).toThrow(/"second" uses a float32 tensor \[\] that was created outside/);
    (kept as tf.Tensor).dispose();
  });

  test('that no operation reads is allowed', async () => {
    const foreign = tf.scalar(5);
    const run = session({}).capture(
      'train',
      (_state, { x }) => ({ outputs: { y: x.add(foreign.rank) } }),
      { x: 1 },
    );
    expect(await run({ x: 3 })).toEqual({ y: scalar(3) });
    foreign.dispose();
  });
});

describe('constants of a step', () => {
  test('keep type and value', async () => {
    const run = session({}).capture(
      'constants',
      () => ({
        outputs: {
          float: tf.tensor2d([[1, -2.5]]),
          int: tf.tensor1d([3, -4], 'int32'),
          bool: tf.tensor1d([true, false], 'bool'),
          empty: tf.tensor2d([], [0, 3]),
          seeded: tf.randomNormal([3], 0, 1, 'float32', 7),
        },
      }),
      {},
    );
    const seeded = tf.tidy(() => tf.randomNormal([3], 0, 1, 'float32', 7).dataSync());
    expect(await run({})).toEqual({
      float: { shape: [1, 2], data: new Float32Array([1, -2.5]) },
      int: { shape: [2], data: new Int32Array([3, -4]) },
      bool: { shape: [2], data: new Uint8Array([1, 0]) },
      empty: { shape: [0, 3], data: new Float32Array() },
      seeded: { shape: [3], data: seeded },
    });
  });

  test('of one value may be large: TF.js multiplies by ones in the gradient of a sum', async () => {
    const size = 600 * 600;
    const state = session({});
    const run = state.capture(
      'gradient',
      (_state, { x }) => ({
        outputs: {
          sum: tf
            .grad((t) => t.square().mean())(x)
            .sum(),
          ones: tf.ones([600, 600]).mul(x).sum(),
          row: x
            .max(0)
            .mul(tf.ones([600, 600]))
            .sum(),
          taller: x.mul(tf.ones([2, 600, 600])).sum(),
          threes: x.mul(tf.tensor2d(new Float32Array(size).fill(3), [600, 600])).sum(),
          counts: tf.zeros([600, 600], 'int32').add(tf.scalar(2, 'int32')).sum(),
          truths: tf.ones([600, 600], 'bool').all(),
        },
      }),
      { x: filled([600, 600], 3) },
    );
    const { sum, ones, row, taller, threes, counts, truths } = await run({
      x: filled([600, 600], 3),
    });
    expect(sum.data[0]).toBeCloseTo(6, 4);
    expect(ones.data[0]).toBe(3 * size);
    expect([row, taller, threes].map(({ data }) => data[0])).toEqual(
      [3, 6, 9].map((n) => n * size),
    );
    // A product with ones is recorded as a broadcast to their shape, or not at all; three others remain.
    const { byOp } = summariseGraph(state.recordings[0]);
    expect([byOp.get('Mul'), byOp.get('BroadcastTo')]).toEqual([3, 3]);
    expect(counts).toEqual({ shape: [], data: new Int32Array([2 * size]) });
    expect(truths).toEqual({ shape: [], data: new Uint8Array([1]) });
  });
});

describe('feeds', () => {
  const example = { x: filled([4, 2], 0), order: new Int32Array(3) };
  const make = (): ((feeds: never) => Promise<unknown>) =>
    session({}).capture(
      'train',
      (_state, { x, order }) => ({ outputs: { y: x.sum().add(order.sum().cast('float32')) } }),
      example,
    ) as (feeds: never) => Promise<unknown>;

  test.each([
    [
      'another shape',
      { ...example, x: filled([2, 2], 0) },
      /^capture: "train" was called with "x" float32 \[2,2\], but was captured with float32 \[4,2\]\. Capture a second step for it, or set dropLast\.$/,
    ],
    [
      'another type',
      { ...example, order: new Float32Array(3) },
      /^capture: "train" was called with "order" float32 \[3\], but was captured with int32 \[3\]/,
    ],
    [
      'one that is not in the example',
      { ...example, lr: 0.1 },
      /^capture: "train" was called with "lr" float32 \[\], which its example did not contain\. Feed the same inputs/,
    ],
    [
      'one too few',
      { x: example.x },
      /^capture: "train" was called without "order"\. Feed the same inputs as the example\.$/,
    ],
    [
      'too few numbers for the shape',
      { ...example, x: { shape: [4, 2], data: new Float32Array(7) } },
      /^session: step "train" was given "x" \[4,2\] with 7 values; that shape needs 8\.$/,
    ],
  ])('of %s', async (_, feeds, message) => {
    const run = make();
    const error = await run(feeds as never).then(
      () => new Error('ran'),
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(CaptureError);
    expect(error.message).toMatch(message);
    expect(await run({ x: filled([4, 2], 1), order: Int32Array.of(1, 2, 3) } as never)).toEqual({
      y: scalar(14),
    });
  });
});
