import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import type { Numbers } from '../../test/expect-close';
import { LayerError } from '../base/errors';
import { createRng } from '../base/rng';
import { registerSecondDerivatives } from '../engine/raw/second-order';
import { loadTensorflow } from '../engine/tensorflow';
import { conv, convForward, convParameters, linear, linearForward } from './conv';

beforeAll(() => {
  loadTensorflow();
});

const host = (t: tf.Tensor): Numbers => ({ shape: t.shape, data: t.dataSync() });

/** The definition in float64 loops. */
function plain(
  [n, h, w, cin]: readonly [number, number, number, number],
  { size, stride, padding, cout }: { size: number; stride: number; padding: number; cout: number },
  x: ArrayLike<number>,
  kernel: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
): Numbers {
  const [rows, columns] = [h, w].map(
    (side) => Math.floor((side + 2 * padding - size) / stride) + 1,
  );
  const data: number[] = [];
  for (let e = 0; e < n; e++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++)
        for (let b = 0; b < cout; b++) {
          let sum = bias?.[b] ?? 0;
          for (let di = 0; di < size; di++)
            for (let dj = 0; dj < size; dj++)
              for (let a = 0; a < cin; a++) {
                const [y0, x0] = [i * stride + di - padding, j * stride + dj - padding];
                if (y0 < 0 || y0 >= h || x0 < 0 || x0 >= w) continue;
                const value = x[((e * h + y0) * w + x0) * cin + a];
                sum += value * kernel[((di * size + dj) * cin + a) * cout + b];
              }
          data.push(sum);
        }
  return { shape: [n, rows, columns, cout], data };
}

describe('convForward', () => {
  test('matches the definition for any size, stride, padding and image', () => {
    fc.assert(
      fc.property(
        fc.record({
          n: fc.integer({ min: 1, max: 2 }),
          h: fc.integer({ min: 4, max: 8 }),
          w: fc.integer({ min: 4, max: 8 }),
          cin: fc.integer({ min: 1, max: 3 }),
          cout: fc.integer({ min: 1, max: 4 }),
          size: fc.integer({ min: 1, max: 4 }),
          stride: fc.integer({ min: 1, max: 3 }),
          padding: fc.integer({ min: 0, max: 3 }),
          hasBias: fc.boolean(),
          seed: fc.nat(),
        }),
        ({ n, h, w, seed, ...spec }) => {
          const rng = createRng(seed);
          const draw = (count: number): Float32Array =>
            rng.fillUniform(new Float32Array(count), -1, 1);
          const { cin, cout, size, hasBias } = spec;
          const layer = conv(cin, cout, spec);
          const [x, kernel] = [draw(n * h * w * cin), draw(size * size * cin * cout)];
          const bias = hasBias ? draw(cout) : undefined;
          tf.tidy(() => {
            const y = convForward(layer, tf.tensor4d(x, [n, h, w, cin]), {
              weight: tf.tensor4d(kernel, [size, size, cin, cout]),
              ...(bias === undefined ? {} : { bias: tf.tensor1d(bias) }),
            });
            expectClose('output', host(y), plain([n, h, w, cin], spec, x, kernel, bias));
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('by default a 3x3 kernel keeps height and width, without bias', () => {
    const layer = conv(2, 5);
    expect(layer).toMatchObject({
      size: 3,
      stride: 1,
      padding: 1,
      hasBias: false,
      isFrozen: false,
    });
    const weight = tf.zeros([3, 3, 2, 5]);
    expect(convForward(layer, tf.zeros([1, 6, 7, 2]), { weight }).shape).toEqual([1, 6, 7, 5]);
  });

  test('rejects a wrong number of channels', () => {
    expect(() => convForward(conv(2, 5), tf.zeros([1, 6, 6, 3]), {})).toThrow(
      /\[1,6,6,3\]; expected \[N,H,W,2\]/,
    );
  });
});

test.each([
  [{ size: 2 }, /padding must be an integer of at least 0; got 0.5/],
  [{ stride: 0 }, /stride must be .* got 0/],
  [{ padding: -1 }, /padding must be .* got -1/],
  [{ size: 1.5, padding: 0 }, /size must be .* got 1.5/],
])('conv rejects %j', (options, message) => {
  expect(() => conv(3, 8, options)).toThrow(LayerError);
  expect(() => conv(3, 8, options)).toThrow(message);
});

test('linearForward: x w + b', () => {
  const weight = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
  const x = tf.tensor2d([1, 10], [1, 2]);
  expect([...linearForward(linear(2, 3), x, { weight }).dataSync()]).toEqual([41, 52, 63]);
  const bias = tf.tensor1d([1, 0, -1]);
  const layer = linear(2, 3, { hasBias: true });
  expect([...linearForward(layer, x, { weight, bias }).dataSync()]).toEqual([42, 52, 62]);
  expect(() => linearForward(linear(3, 3), x, { weight })).toThrow(/\[1,2\]; expected \[N,3\]/);
  expect(() => linearForward(linear(4, 3), tf.zeros([1, 2, 2, 1]), { weight })).toThrow(/flatten/);
});

describe('a trimmed convolution', () => {
  test('skips the last row or column of an odd extent, with first and second derivatives', () => {
    for (const [h, w] of [
      [5, 5],
      [7, 4],
      [4, 3],
      [4, 6],
    ]) {
      tf.tidy(() => {
        const x = tf.randomNormal<tf.Rank.R4>([2, h, w, 3], 0, 1, 'float32', h);
        const weight = tf.randomNormal([3, 3, 3, 4], 0, 1, 'float32', w);
        const bias = tf.randomNormal([4], 0, 1, 'float32', 1);
        const cut = (t: tf.Tensor): tf.Tensor =>
          t.slice([0, 0, 0, 0], [2, h - (h % 2), w - (w % 2), 4]);
        const forwards = [
          (t: tf.Tensor, k: tf.Tensor) =>
            convForward(conv(3, 4, { isTrimmed: true, hasBias: true }), t, { weight: k, bias }),
          (t: tf.Tensor, k: tf.Tensor) =>
            cut(convForward(conv(3, 4, { hasBias: true }), t, { weight: k, bias })),
        ];
        const found = forwards.map((forward) => {
          const gradients = tf.grads((t, k) => forward(t, k).square().sum())([x, weight]);
          return [forward(x, weight), ...gradients].map(host);
        });
        for (const [index, value] of found[0].entries()) {
          expectClose(`${h}x${w} ${['y', 'dx', 'dw'][index]}`, value, found[1][index]);
        }
        // The gradient with respect to the kernel, differentiated with respect to x and the kernel.
        registerSecondDerivatives();
        const second = forwards.map((forward) =>
          tf
            .grads((t, k) =>
              tf
                .grad((u) => forward(t, u).square().sum())(k)
                .square()
                .sum(),
            )([x, weight])
            .map(host),
        );
        for (const [index, value] of second[0].entries()) {
          expectClose(`${h}x${w} second ${index}`, value, second[1][index], 1e-4);
        }
      });
    }
  });

  test('rejects other kernels, and images with a single row', () => {
    expect(() => conv(3, 4, { size: 5, isTrimmed: true })).toThrow(
      /isTrimmed requires a 3x3 kernel.*5x5/,
    );
    expect(() => conv(3, 4, { stride: 2, isTrimmed: true })).toThrow(/stride 2/);
    const weight = tf.zeros([3, 3, 3, 4]);
    expect(() =>
      convForward(conv(3, 4, { isTrimmed: true }), tf.zeros([1, 1, 5, 3]), { weight }),
    ).toThrow(/\[1,1,5,3\].*two rows/);
  });
});

describe('convParameters', () => {
  const spread = (data: ArrayLike<number>): { largest: number; sd: number } => {
    const values = Array.from(data);
    return {
      largest: Math.max(...values.map(Math.abs)),
      sd: Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length),
    };
  };

  test.each([
    ['conv 16->64', conv(16, 64), 1 / Math.sqrt(144)],
    ['conv 1x1', conv(256, 40, { size: 1 }), 1 / 16],
    ['conv, gain sqrt 6', conv(16, 64, { gain: Math.sqrt(6) }), Math.sqrt(6 / 144)],
    ['linear 512->10', linear(512, 10), 1 / Math.sqrt(512)],
  ])('%s starts from U(-k, k), k = gain / sqrt(fan in)', (_, layer, bound) => {
    const [weight, ...rest] = convParameters(layer);
    const { data, shape } = weight.init(createRng(1, 'init'));
    expect(rest).toEqual([]);
    expect(shape).toEqual(weight.shape);
    const { largest, sd } = spread(data);
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(0.99 * bound);
    expect(sd / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });

  test('a bias starts from U(-k, k), k = 1 / sqrt(fan in), whatever the gain', () => {
    const [weight, bias] = convParameters(linear(4, 3000, { hasBias: true, gain: 10 }));
    expect([weight.name, bias.name]).toEqual(['weight', 'bias']);
    const { largest } = spread(bias.init(createRng(1)).data);
    expect(largest).toBeLessThanOrEqual(0.5);
    expect(largest).toBeGreaterThan(0.49);
  });

  test('frozen kernels are not trained', () => {
    expect(convParameters(conv(3, 27, { isFrozen: true })).map(({ role }) => role)).toEqual([
      'frozen',
    ]);
    expect(convParameters(conv(3, 27)).map(({ role }) => role)).toEqual(['trainable']);
  });

  test.each([
    [2, 5],
    [5, 3],
    [4, 4],
  ])(
    'dirac init of %i to %i channels copies the inputs and leaves the rest as drawn',
    (cin, cout) => {
      const [drawn, kernel] = (['uniform', 'dirac'] as const).map((init) =>
        convParameters(conv(cin, cout, { init }))[0].init(createRng(1)),
      );
      const copied = Math.min(cin, cout);
      for (const [index, value] of kernel.data.entries()) {
        const output = index % cout;
        const input = Math.floor(index / cout) % cin;
        const tap = Math.floor(index / (cin * cout));
        const expected =
          output < copied ? Number(tap === 4 && input === output) : drawn.data[index];
        expect(value).toBe(expected);
      }
      const x = tf.randomNormal<tf.Rank.R4>([1, 5, 4, cin], 0, 1, 'float32', 1);
      const weight = tf.tensor4d(kernel.data as Float32Array, [3, 3, cin, cout]);
      const first = (t: tf.Tensor): Numbers => host(t.slice([0, 0, 0, 0], [1, 5, 4, copied]));
      expectClose('copy', first(convForward(conv(cin, cout), x, { weight })), first(x));
    },
  );

  test('dirac init needs an odd kernel', () => {
    expect(() => conv(2, 4, { size: 2, padding: 0, init: 'dirac' })).toThrow(
      /2x2 has no centre, which init "dirac" needs/,
    );
  });

  test('a standardised matrix has standard deviation 1, whatever its gain', () => {
    const of = (options: Parameters<typeof linear>[2]): Float32Array =>
      convParameters(linear(16, 10, options))[0].init(createRng(1)).data as Float32Array;
    const weight = of({ isStandardised: true });
    const mean = weight.reduce((sum, x) => sum + x, 0) / 160;
    const square = weight.reduce((sum, x) => sum + (x - mean) ** 2, 0);
    expect(Math.sqrt(square / 159)).toBeCloseTo(1, 6);
    const shape = [16, 10];
    expectClose(
      'gain 3',
      { shape, data: of({ isStandardised: true, gain: 3 }) },
      { shape, data: weight },
    );
    // Scaled, not moved.
    const drawn = of({});
    const ratio = weight[0] / drawn[0];
    expectClose('ratio', { shape, data: drawn.map((x) => x * ratio) }, { shape, data: weight });
  });

  test('a frozen kernel can have a trainable bias', () => {
    const roles = (isBiasFrozen?: boolean): string[] =>
      convParameters(
        conv(3, 4, {
          hasBias: true,
          isFrozen: true,
          ...(isBiasFrozen === undefined ? {} : { isBiasFrozen }),
        }),
      ).map(({ role }) => role);
    expect(roles(false)).toEqual(['frozen', 'trainable']);
    expect(roles()).toEqual(['frozen', 'frozen']);
  });
});
