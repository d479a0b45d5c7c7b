import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { createRng } from '../base/rng';
import type { SessionMode } from '../engine/session';
import { createSession } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import { flatten } from '../nn/combine';
import { linear } from '../nn/conv';
import { crossEntropyLoss } from '../nn/loss';
import type { AnyLayer, Variables } from '../nn/network';
import type { Model, Work } from './steps';
import { evaluate, viewedLogits } from './test-time';
import type { Tta } from './test-time';

beforeAll(() => {
  loadTensorflow();
});

const [side, classes, count] = [5, 4, 10];
const pixels = side * side * 3;

/** Logits that depend on the position of each pixel, so that no two views have the same logits. */
const model: Model = {
  graph: build<AnyLayer>({ flatten: flatten(), linear: linear(pixels, classes) }),
  loss: build<AnyLayer>(crossEntropyLoss()),
};
const rng = createRng(1, 'test-time');
const images = rng.fillUniform(new Float32Array(count * pixels), -1, 1);
const weight = rng.fillUniform(new Float32Array(pixels * classes), -0.5, 0.5);

/** Reflects a coordinate that may lie one pixel outside the image. */
const inside = (at: number): number => (at < 0 ? -at : at >= side ? 2 * (side - 1) - at : at);

/** The logits of a view in float64; `source` maps a position to the pixel that is shown there. */
function logitsOf(
  image: number,
  source: (y: number, x: number) => readonly [y: number, x: number],
): number[] {
  const sums = Array.from({ length: classes }, () => 0);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++) {
        const [fromY, fromX] = source(y, x).map(inside);
        const pixel = images[image * pixels + (fromY * side + fromX) * 3 + c];
        for (let k = 0; k < classes; k++) {
          sums[k] += pixel * weight[((y * side + x) * 3 + c) * classes + k];
        }
      }
  return sums;
}

/** The logits of the image shifted by `by` pixels to the lower right, then optionally mirrored. */
const view = (image: number, by: number, isMirrored: boolean): number[] =>
  logitsOf(image, (y, x) => [y - by, (isMirrored ? side - 1 - x : x) - by]);

function weighted(image: number, views: readonly (readonly [number, boolean, number])[]): number[] {
  return Array.from({ length: classes }, (_, k) =>
    views.reduce((sum, [by, isMirrored, share]) => sum + share * view(image, by, isMirrored)[k], 0),
  );
}

const both = (by: number, share: number): [number, boolean, number][] => [
  [by, false, share],
  [by, true, share],
];

/** The expected logits of each image for each kind, by the definition of {@link Tta}. */
const expected: readonly (readonly [Tta, (image: number) => number[]])[] = [
  [false, (image) => view(image, 0, false)],
  [true, (image) => weighted(image, both(0, 1 / 2))],
  [
    'six-views',
    (image) => weighted(image, [...both(0, 1 / 4), ...both(1, 1 / 8), ...both(-1, 1 / 8)]),
  ],
  [
    'six-views-if-unsure',
    (image) =>
      unsure.has(image)
        ? weighted(image, [...both(0, 1 / 6), ...both(1, 1 / 6), ...both(-1, 1 / 6)])
        : view(image, 0, false),
  ],
];

function largestProbability(logits: readonly number[]): number {
  const powers = logits.map(Math.exp);
  return Math.max(...powers) / powers.reduce((sum, x) => sum + x, 0);
}

/** Three of ten: a quarter, rounded up. */
const unsure = new Set(
  Array.from({ length: count }, (_, image) => image)
    .toSorted(
      (a, b) => largestProbability(view(a, 0, false)) - largestProbability(view(b, 0, false)),
    )
    .slice(0, 3),
);

const batchOf = (rows: readonly number[]): tf.Tensor4D =>
  tf.concat(
    rows.map((image) =>
      tf.tensor4d(images.subarray(image * pixels, (image + 1) * pixels), [1, side, side, 3]),
    ),
  );
const network = (): Variables => ({ 'linear/weight': tf.tensor2d(weight, [pixels, classes]) });

describe.each(['eager', 'captured'] as const satisfies readonly SessionMode[])('%s', (mode) => {
  test.each(expected)('%s equals the mean over its views', async (tta, logits) => {
    const session = createSession(
      { images: { shape: [count, side, side, 3], data: images } },
      { mode },
    );
    const run = session.capture(
      'views',
      (state) => ({
        outputs: { logits: viewedLogits(model, network(), state.images as tf.Tensor4D, tta) },
      }),
      {},
    );
    const found = await run({});
    const data = Array.from({ length: count }, (_, image) => logits(image)).flat();
    expectClose('logits', found.logits, { shape: [count, classes], data }, 1e-5);
    session.dispose();
  });
});

test('the unsure quarter is taken per batch, rounded up', () => {
  const surest = Array.from({ length: count }, (_, image) => image).filter((i) => !unsure.has(i));
  for (const rows of [[...unsure].slice(0, 1), surest.slice(0, 4), surest.slice(0, 5)]) {
    const input = batchOf(rows);
    const [plain, some] = ([false, 'six-views-if-unsure'] as const).map((tta) =>
      viewedLogits(model, network(), input, tta).arraySync(),
    );
    const changed = rows.filter((_, row) => some[row].some((x, k) => x !== plain[row][k]));
    const byConfidence = rows.toSorted(
      (a, b) => largestProbability(view(a, 0, false)) - largestProbability(view(b, 0, false)),
    );
    expect(changed.length).toBe(Math.ceil(rows.length / 4));
    expect(new Set(changed)).toEqual(new Set(byConfidence.slice(0, changed.length)));
  }
});

test('evaluate computes the loss of the averaged logits and leaves running statistics unchanged', () => {
  const target = tf.tensor1d(
    Array.from({ length: count }, (_, i) => i % classes),
    'int32',
  );
  const input = batchOf(Array.from({ length: count }, (_, image) => image));
  for (const [tta, logits] of expected) {
    const { outcome } = evaluate(model, { tta })({
      batch: { input, target },
      network: network(),
    } as unknown as Work);
    const losses = Array.from({ length: count }, (_, image) => {
      const all = logits(image);
      return Math.log(all.reduce((sum, x) => sum + Math.exp(x), 0)) - all[image % classes];
    });
    const right = Array.from({ length: count }, (_, image) =>
      Number(logits(image).indexOf(Math.max(...logits(image))) === image % classes),
    );
    const found = outcome?.loss as tf.Tensor;
    expectClose(
      'loss',
      { shape: found.shape, data: found.dataSync() },
      { shape: [count], data: losses },
    );
    expect([...(outcome?.acc.dataSync() ?? [])]).toEqual(right);
    expect(outcome?.running).toEqual({});
  }
});
