import * as tf from '@tensorflow/tfjs-core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { batchIndices } from '../augment/epoch-order';
import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import { gatherOracle, gatherTables } from '../augment/gather';
import { identityPlan, plan } from '../augment/plan';
import type { Transform } from '../augment/transform';
import type { HostArray } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { createSession } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { applyJitter, gatherBatch, residentSplit, residentTables, resampleBatch } from './batches';
import type { Batch, BatchFeed } from './batches';
import type { OnDevice } from '../engine/step';

beforeAll(() => {
  loadTensorflow();
});

/** Gathers one batch in a session of its own, as training does. */
async function gather(
  images: {
    readonly data: Float32Array;
    readonly shape: readonly [number, number, number, number];
  },
  labels: readonly number[],
  tables: ReturnType<typeof gatherTables>,
  batch: ReturnType<typeof batchIndices>,
): Promise<{ readonly input: HostArray; readonly target: number[]; readonly shape: number[] }> {
  const [, height, width, channels] = images.shape;
  const session = createSession(
    { split: residentSplit(images.data, labels, channels), tables: residentTables(tables) },
    { mode: 'eager' },
  );
  try {
    const run = session.capture(
      'gather',
      (state, { batch: fed }) => {
        const { input, target } = gatherBatch(
          state.split,
          state.tables,
          fed,
          [height, width],
          tables.hasCutout,
        );
        return { outputs: { input, target } };
      },
      { batch: { ...batch } },
    );
    const { input, target } = await run({ batch: { ...batch } });
    return { input: input.data, target: [...target.data], shape: [...input.shape] };
  } finally {
    session.dispose();
  }
}

/** A list of transforms that fits an image of a given size, padded. */
const cases = fc
  .record({
    height: fc.integer({ min: 4, max: 9 }),
    width: fc.integer({ min: 4, max: 9 }),
    channels: fc.integer({ min: 1, max: 3 }),
    count: fc.integer({ min: 1, max: 6 }),
    pad: fc.integer({ min: 0, max: 3 }),
    batch: fc.array(fc.nat(), { minLength: 1, maxLength: 7 }),
    has: fc.record({ crop: fc.boolean(), flip: fc.boolean(), cutout: fc.boolean() }),
    scheme: fc.constantFrom('per-example' as const, 'groups' as const),
    seed: fc.nat(),
  })
  .map(({ has, ...rest }) => {
    const { height, width, pad } = rest;
    const transforms: Transform[] = [
      ...(has.crop ? [crop(height, width)] : []),
      ...(has.flip ? [flipLR()] : []),
      ...(has.cutout ? [cutout(2, 3)] : []),
    ];
    // Without a crop the padding would remain.
    return { ...rest, transforms, pad: has.crop ? pad : 0 };
  });

describe('gatherBatch', () => {
  test('equals the plain loops of augment/ for any choices', async () => {
    await fc.assert(
      fc.asyncProperty(
        cases,
        async ({ height, width, channels, count, pad, transforms, ...rest }) => {
          const rng = createRng(rest.seed);
          const shape = [count, height, width, channels] as const;
          const data = rng.fillUniform(new Float32Array(count * height * width * channels), -1, 1);
          const labels = Array.from({ length: count }, () => rng.integer(10));
          const tables = gatherTables(transforms, [height, width], pad);
          const choices = plan(transforms, tables.padded, count, { scheme: rest.scheme, rng });
          const order = Int32Array.from(rest.batch, (pick) => pick % count);
          const batch = batchIndices(choices, order);

          const found = await gather({ data, shape }, labels, tables, batch);
          const expected = gatherOracle({ data, shape }, tables, batch);
          expect(found.shape).toEqual(expected.shape);
          // A box multiplies by 0, so zero and minus zero are the same pixel.
          expect(found.input.map((x) => x + 0)).toEqual(expected.data);
          expect(found.target).toEqual([...order].map((example) => labels[example]));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('without transforms returns the images themselves in the requested order', async () => {
    const data = Float32Array.from({ length: 3 * 4 }, (_, i) => i);
    const batch = batchIndices(identityPlan(3), Int32Array.of(2, 0));
    const images = { data, shape: [3, 2, 2, 1] as const };
    const found = await gather(images, [7, 8, 9], gatherTables([], [2, 2], 0), batch);
    expect(found).toEqual({
      input: Float32Array.of(8, 9, 10, 11, 0, 1, 2, 3),
      target: [9, 7],
      shape: [2, 2, 2, 1],
    });
  });
});

/** Images `[2,h,w,3]` as a ramp with a different value at every place. */
function ramp(h: number, w: number): Batch {
  const data = Float32Array.from({ length: 2 * h * w * 3 }, (_, i) => Math.sin(i * i));
  return { input: tf.tensor4d(data, [2, h, w, 3]), target: tf.tensor1d([3, 1], 'int32') };
}

describe('applyJitter', () => {
  test('shifts, then scales, each image by its own numbers', () => {
    const batch = ramp(2, 3);
    const fed = { shift: tf.tensor1d([0.5, -0.25]), scale: tf.tensor1d([2, 0.5]) };
    const found = applyJitter(batch, fed as unknown as OnDevice<BatchFeed>);
    const before = batch.input.dataSync();
    const expected = Array.from(before, (x, i) => (i < 18 ? (x + 0.5) * 2 : (x - 0.25) * 0.5));
    expectClose(
      'images',
      { shape: found.input.shape, data: found.input.dataSync() },
      { shape: [2, 2, 3, 3], data: expected },
      1e-6,
    );
    expect(found.target).toBe(batch.target);
  });

  test('returns a batch without jitter unchanged', () => {
    const batch = ramp(2, 2);
    expect(applyJitter(batch, {} as OnDevice<BatchFeed>)).toBe(batch);
  });
});

describe('resampleBatch', () => {
  /** Bilinear interpolation by its definition, in float64. */
  function plainly({ input }: Batch, size: number): number[] {
    const [n, height, width, channels] = input.shape;
    const pixels = input.dataSync();
    const along = (i: number, extent: number): readonly [number, number, number] => {
      const centre = Math.min(Math.max(((i + 0.5) * extent) / size - 0.5, 0), extent - 1);
      const left = Math.floor(centre);
      return [left, Math.min(left + 1, extent - 1), centre - left];
    };
    const found: number[] = [];
    for (let image = 0; image < n; image++)
      for (let y = 0; y < size; y++)
        for (let x = 0; x < size; x++)
          for (let c = 0; c < channels; c++) {
            const [top, bottom, down] = along(y, height);
            const [left, right, across] = along(x, width);
            const at = (row: number, column: number): number =>
              pixels[((image * height + row) * width + column) * channels + c];
            const upper = at(top, left) * (1 - across) + at(top, right) * across;
            const lower = at(bottom, left) * (1 - across) + at(bottom, right) * across;
            found.push(upper * (1 - down) + lower * down);
          }
    return found;
  }

  test.each([
    [8, 8, 6],
    [8, 8, 11],
    [7, 5, 4],
    [3, 6, 6],
  ])('%ix%i to %i pixels equals bilinear interpolation', (height, width, size) => {
    const batch = ramp(height, width);
    const { input, target } = resampleBatch(batch, size);
    expectClose(
      'images',
      { shape: input.shape, data: input.dataSync() },
      { shape: [2, size, size, 3], data: plainly(batch, size) },
      1e-5,
    );
    expect(target).toBe(batch.target);
  });

  test('does nothing to images that already have the size', () => {
    const batch = ramp(6, 6);
    expect(resampleBatch(batch, 6)).toBe(batch);
  });
});
