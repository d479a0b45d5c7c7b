import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { createAlgorithms } from './algorithms';
import type { Algorithm, AlgorithmRow, ConvPass, ConvShape } from './conv-algorithm';
import { loadGraphAddon } from './native';
import { trimmedConv } from './raw/trimmed-conv';
import { createSession } from './session';
import { loadTensorflow } from './tensorflow';

loadTensorflow();
const passes: readonly ConvPass[] = ['forward', 'input-gradient', 'kernel-gradient'];
const cache = mkdtempSync(join(tmpdir(), 'cifar10-fast-algorithms-'));
const before = process.env['CIFAR10_FAST_CACHE'];

beforeAll(() => {
  process.env['CIFAR10_FAST_CACHE'] = cache;
});
afterAll(() => {
  if (before === undefined) delete process.env['CIFAR10_FAST_CACHE'];
  else process.env['CIFAR10_FAST_CACHE'] = before;
  rmSync(cache, { recursive: true, force: true });
});

/** Images, height, width, channels in and out; `trimmed` drops the last row or column of an odd extent, `valid` does not pad. */
type Sizes = readonly [n: number, h: number, w: number, ci: number, co: number];
type Extents = Sizes | readonly [...Sizes, 'trimmed' | 'valid'];

/** Rows and columns of outputs. */
function outputsOf([, h, w, , , kind]: Extents): readonly [rows: number, columns: number] {
  if (kind === 'valid') return [h - 2, w - 2];
  return kind === undefined ? [h, w] : [h - (h % 2), w - (w % 2)];
}
type Precision = ConvShape['precision'];

/** Whether this processor has an algorithm, for numbers of channels that every algorithm supports. */
function has(precision: Precision, pass: ConvPass, algorithm: Algorithm): boolean {
  const shape = [1, 4, 4, 32, 32, 4, 4];
  const number = ([0, 1, 2] as const)[passes.indexOf(pass)];
  return loadGraphAddon()
    .convAlgorithms(number, precision === 'bf16', shape)
    .includes(algorithm);
}

function row(pass: ConvPass, shape: string, chosen: Algorithm): AlgorithmRow {
  return { pass, shape, candidates: [{ algorithm: chosen, ms: 1, difference: 0 }], chosen };
}

/** A convolution and its gradients for given x, w and dy, in a captured step that uses a given algorithm for one pass. */
async function convolve(
  extents: Extents,
  precision: Precision,
  pass: ConvPass,
  chosen: Algorithm,
): Promise<{ readonly data: ArrayLike<number>; readonly used: readonly AlgorithmRow[] }> {
  const [n, h, w, ci, co, kind] = extents;
  const [rows, columns] = outputsOf(extents);
  const isWhole = rows === h && columns === w;
  // The number of images measured is a power of two.
  const images = `${2 ** Math.floor(Math.log2(n))}x${h}x${w}${isWhole ? '' : `(${rows}x${columns})`}`;
  const shape = `${precision} ${images} ${ci}->${co}`;
  const known = passes.map((each) => row(each, shape, each === pass ? chosen : 'direct'));
  const session = createSession(
    {
      x: random([n, h, w, ci], 'x'),
      w: random([3, 3, ci, co], 'w'),
      dy: random([n, rows, columns, co], 'dy'),
    },
    { precision, algorithms: known },
  );
  try {
    const run = session.capture(
      'convolution',
      (state) => {
        const conv = (x: tf.Tensor, kernel: tf.Tensor): tf.Tensor =>
          kind === 'trimmed' && !isWhole
            ? trimmedConv(x as tf.Tensor4D, kernel as tf.Tensor4D)
            : tf.conv2d(
                x as tf.Tensor4D,
                kernel as tf.Tensor4D,
                1,
                kind === 'valid' ? 'valid' : 'same',
              );
        if (pass === 'forward') return { outputs: { result: conv(state.x, state.w) } };
        const [dx, dw] = tf.grads((x, kernel) => conv(x, kernel))([state.x, state.w], state.dy);
        return { outputs: { result: pass === 'input-gradient' ? dx : dw } };
      },
      {},
    );
    const { result } = await run({});
    return { data: result.data, used: session.algorithms };
  } finally {
    session.dispose();
  }
}

function random(shape: readonly number[], stream: string): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  const rng = createRng(1, stream);
  for (let i = 0; i < data.length; i++) data[i] = rng.normal();
  // Numbers that bf16 represents exactly, so that all precisions start from the same numbers.
  const bits = new Uint32Array(data.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] &= 0xffff0000;
  return { shape, data };
}

/** The same in float64, by plain loops. */
function plainConvolve(extents: Extents, pass: ConvPass): Float64Array {
  const [n, h, w, ci, co, kind] = extents;
  const [rows, columns] = outputsOf(extents);
  const zeros = kind === 'valid' ? 0 : 1;
  const x = random([n, h, w, ci], 'x').data;
  const kernel = random([3, 3, ci, co], 'w').data;
  const dy = random([n, rows, columns, co], 'dy').data;
  const sums = new Float64Array(
    {
      forward: n * rows * columns * co,
      'input-gradient': n * h * w * ci,
      'kernel-gradient': 9 * ci * co,
    }[pass],
  );
  for (let b = 0; b < n; b++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        for (let k = 0; k < 9; k++) {
          const y = i + Math.floor(k / 3) - zeros;
          const z = j + (k % 3) - zeros;
          if (y < 0 || z < 0 || y >= h || z >= w) continue;
          for (let c = 0; c < ci; c++) {
            const xAt = ((b * h + y) * w + z) * ci + c;
            for (let o = 0; o < co; o++) {
              const yAt = ((b * rows + i) * columns + j) * co + o;
              const kAt = (k * ci + c) * co + o;
              if (pass === 'forward') sums[yAt] += x[xAt] * kernel[kAt];
              else if (pass === 'input-gradient') sums[xAt] += dy[yAt] * kernel[kAt];
              else sums[kAt] += x[xAt] * dy[yAt];
            }
          }
        }
      }
    }
  }
  return sums;
}

function worstError(actual: ArrayLike<number>, expected: Float64Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = expected.reduce(
    (most, value, index) => Math.max(most, Math.abs(value - actual[index])),
    0,
  );
  expect(actual).toHaveLength(expected.length);
  return worst / largest;
}

const winogradShapes: readonly Extents[] = [
  [1, 4, 4, 16, 16],
  [3, 8, 8, 16, 32],
  [2, 5, 7, 32, 48],
  [2, 1, 2, 16, 16],
  [70, 4, 4, 32, 16],
  [2, 32, 32, 16, 32],
  [9, 2, 2, 128, 64],
  [5, 3, 3, 32, 64],
  [3, 7, 7, 16, 32, 'trimmed'],
  [2, 5, 3, 32, 16, 'trimmed'],
  [2, 6, 7, 16, 16, 'trimmed'],
  [33, 3, 3, 16, 16, 'trimmed'],
  // Every tile size next to every other, and a tile that extends past the edge.
  [2, 7, 6, 16, 16],
  [3, 5, 5, 16, 32],
  [2, 9, 11, 16, 16],
  [2, 6, 13, 16, 32, 'trimmed'],
  [2, 13, 15, 16, 32],
  [2, 14, 10, 16, 16],
  // The input gradient from whole tiles of the outputs: one tile, and several that share pixels.
  [33, 7, 7, 32, 16, 'trimmed'],
  [3, 15, 11, 16, 48, 'trimmed'],
  // Many output channels from few input channels, in groups.
  [2, 12, 12, 16, 96],
];

/** Without padding, where only fp32 has algorithms of its own. */
const validShapes: readonly Extents[] = [
  [5, 3, 3, 16, 16, 'valid'],
  [2, 4, 9, 16, 32, 'valid'],
  [3, 28, 28, 32, 16, 'valid'],
  [33, 7, 5, 16, 48, 'valid'],
];

/** In bf16 channels are multiples of 8; edges of one output, and more tiles than are summed at a time. */
const bf16Shapes: readonly Extents[] = [
  [2, 7, 7, 24, 64, 'trimmed'],
  [3, 5, 5, 8, 40],
  [3, 5, 6, 24, 72, 'trimmed'],
  [1, 2, 1, 8, 8],
  [5, 1, 5, 16, 24],
  [130, 3, 3, 24, 32],
  [37, 15, 15, 8, 16],
  [64, 31, 31, 24, 8, 'trimmed'],
];

/** Relative to the largest element; a bf16 number is off by 2^-9 of itself. */
const tolerances: readonly (readonly [Precision, Algorithm, number])[] = [
  ['fp32', 'winograd-4', 2e-5],
  ['fp32', 'winograd-6', 2e-5],
  ['fp32', 'winograd-7', 5e-5],
  ['bf16', 'winograd-2', 1e-2],
  ['bf16', 'winograd-2-amx', 1e-2],
];

describe.each(tolerances)('in %s, %s', (precision, algorithm, tolerance) => {
  describe.skipIf(!has(precision, 'forward', algorithm)).each(passes)('%s', (pass) => {
    test.each<readonly (number | string)[]>([
      ...winogradShapes,
      ...(precision === 'bf16' ? bf16Shapes : validShapes),
    ])('equals plain loops for %i images of %ix%i, %i channels to %i', async (...given) => {
      const extents = given as unknown as Extents;
      const { data, used } = await convolve(extents, precision, pass, algorithm);
      expect(used.find((each) => each.pass === pass)?.chosen).toBe(algorithm);
      const error = worstError(data, plainConvolve(extents, pass));
      expect(error).toBeLessThan(tolerance);
      // TensorFlow's own algorithm rounds differently: this shows that another one ran.
      const direct = await convolve(extents, precision, pass, 'direct');
      expect(Array.from(data)).not.toEqual(Array.from(direct.data));
    });
  });
});

test.skipIf(!has('fp32', 'kernel-gradient', 'winograd-4'))(
  'the kernel gradient loses little precision in its sums over a large batch',
  async () => {
    const extents: Extents = [1024, 8, 8, 16, 16];
    const exact = plainConvolve(extents, 'kernel-gradient');
    // Summed one tile after the other, the errors are 2.5e-6 and 1.8e-5.
    for (const [algorithm, bar] of [
      ['winograd-4', 1e-5],
      ['winograd-6', 1e-5],
      ['winograd-7', 2e-5],
    ] as const) {
      const { data } = await convolve(extents, 'fp32', 'kernel-gradient', algorithm);
      expect(worstError(data, exact)).toBeLessThan(bar);
    }
  },
);

const outerProduct = has('bf16', 'kernel-gradient', 'outer-product');

describe.skipIf(!outerProduct)('the gradient of a 3x3 kernel as outer products', () => {
  test.each<readonly (number | string)[]>([
    [1, 4, 4, 8, 16],
    [3, 4, 4, 16, 32],
    [5, 8, 8, 8, 48],
    [2, 16, 16, 24, 16],
    [3, 32, 32, 8, 32],
    [70, 4, 4, 8, 64],
    [2, 6, 10, 16, 16],
    [2, 1, 2, 8, 16],
    [3, 5, 7, 24, 64],
    [9, 3, 3, 16, 32],
    [2, 1, 1, 8, 16],
    [3, 7, 7, 24, 32, 'trimmed'],
    [2, 3, 5, 8, 16, 'trimmed'],
    [2, 6, 7, 8, 16, 'trimmed'],
    [2, 7, 6, 8, 48, 'trimmed'],
  ])('equals plain loops for %i images of %ix%i, %i channels to %i', async (...given) => {
    const extents = given as unknown as Extents;
    const { data, used } = await convolve(extents, 'bf16', 'kernel-gradient', 'outer-product');
    expect(used.find(({ pass }) => pass === 'kernel-gradient')?.chosen).toBe('outer-product');
    // Sums of exact products in float32.
    expect(worstError(data, plainConvolve(extents, 'kernel-gradient'))).toBeLessThan(1e-5);
  });
});

describe.skipIf(!has('fp32', 'forward', 'winograd-4'))('the choice', () => {
  const conv: ConvShape = {
    precision: 'fp32',
    images: 512,
    height: 4,
    width: 4,
    inputChannels: 32,
    outputChannels: 32,
  };

  test('is measured once for a shape, kept in the cache, and then always the same', () => {
    const first = createAlgorithms();
    const chosen = first.choose('forward', conv);
    expect(first.rows).toHaveLength(1);
    const [measured] = first.rows;
    expect(measured).toMatchObject({ pass: 'forward', shape: 'fp32 512x4x4 32->32', chosen });
    expect(measured.candidates.map(({ algorithm }) => algorithm)).toEqual([
      'direct',
      'winograd-4',
      'winograd-6',
      'winograd-7',
    ]);
    expect(measured.candidates[0].difference).toBe(0);
    for (const { ms, difference } of measured.candidates) {
      expect(ms).toBeGreaterThan(0);
      expect(difference).toBeLessThan(2e-5);
    }
    const fastest = measured.candidates.toSorted((a, b) => a.ms - b.ms)[0];
    expect(chosen).toBe(fastest.algorithm);
    expect(Object.values(JSON.parse(readFileSync(join(cache, 'algorithms.json'), 'utf8')))).toEqual(
      [first.rows],
    );
    const second = createAlgorithms();
    expect(second.choose('forward', conv)).toBe(chosen);
    expect(second.rows).toEqual(first.rows);
  });

  test('is made without a writable cache folder, with one warning', async () => {
    const warning = once(process, 'warning');
    // A file in place of the folder: not even root can write into it.
    const blocked = join(cache, 'blocked');
    writeFileSync(blocked, '');
    process.env['CIFAR10_FAST_CACHE'] = join(blocked, 'below');
    try {
      expect(['direct', 'winograd-4', 'winograd-6', 'winograd-7']).toContain(
        createAlgorithms().choose('input-gradient', conv),
      );
      const [{ message }] = (await warning) as [Error];
      expect(message).toMatch(/cannot read or write the cache of convolution algorithms .*blocked/);
      expect(message).toMatch(/CIFAR10_FAST_CACHE/);
    } finally {
      process.env['CIFAR10_FAST_CACHE'] = cache;
    }
  });

  test.each(['', 'null', '[1]', '{"a":1}', '{"a":[null]}', '{"a":[{"pass":1}]}'])(
    'is measured again if the cache contains %j',
    (text) => {
      writeFileSync(join(cache, 'algorithms.json'), text);
      const algorithms = createAlgorithms();
      algorithms.choose('forward', { ...conv, images: 2 });
      expect(algorithms.rows).toHaveLength(1);
      const kept = JSON.parse(readFileSync(join(cache, 'algorithms.json'), 'utf8')) as object;
      expect(Object.values(kept)).toEqual([algorithms.rows]);
    },
  );

  test('ignores a known algorithm that this processor does not have', () => {
    const known = row('forward', 'fp32 512x8x8 16->16', 'outer-product');
    const algorithms = createAlgorithms([known]);
    const shape = { ...conv, height: 8, width: 8, inputChannels: 16, outputChannels: 16 };
    expect(algorithms.choose('forward', shape)).not.toBe('outer-product');
  });

  test('is made for each pass separately', () => {
    const algorithms = createAlgorithms();
    algorithms.choose('forward', conv);
    algorithms.choose('kernel-gradient', conv);
    expect(algorithms.rows.map(({ pass }) => pass)).toEqual(['forward', 'kernel-gradient']);
  });

  test('is not measured again if it is known from an earlier run', () => {
    for (const chosen of ['direct', 'winograd-4'] as const) {
      const known = row('forward', 'fp32 512x8x8 16->16', chosen);
      const algorithms = createAlgorithms([known]);
      const shape = { ...conv, height: 8, width: 8, inputChannels: 16, outputChannels: 16 };
      expect(algorithms.choose('forward', shape)).toBe(chosen);
      expect(algorithms.rows).toEqual([known]);
    }
  });
});

test.skipIf(!has('fp32', 'kernel-gradient', 'winograd-4'))(
  'is accurate for long sums, in which TensorFlow itself rounds more',
  () => {
    const long = { precision: 'fp32', images: 128, height: 32, width: 32 } as const;
    const algorithms = createAlgorithms();
    algorithms.choose('kernel-gradient', { ...long, inputChannels: 16, outputChannels: 16 });
    const [{ candidates }] = algorithms.rows;
    for (const { algorithm, difference } of candidates) {
      expect(difference).toBeLessThan(algorithm === 'winograd-7' ? 1.5e-5 : 5e-6);
    }
  },
);

test.each<Partial<ConvShape>>([
  { inputChannels: 3 },
  { outputChannels: 10 },
  { precision: 'bf16', inputChannels: 3 },
  { precision: 'bf16', outputChannels: 10 },
])('leaves unsupported shapes to TensorFlow, without measuring: %o', (change) => {
  const algorithms = createAlgorithms();
  const conv: ConvShape = {
    precision: 'fp32',
    images: 512,
    height: 8,
    width: 8,
    inputChannels: 32,
    outputChannels: 32,
    ...change,
  };
  for (const pass of passes) expect(algorithms.choose(pass, conv)).toBe('direct');
  expect(algorithms.rows).toEqual([]);
});
