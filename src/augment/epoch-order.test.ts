import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import { batchIndices, epochBatches } from './epoch-order';
import { identityPlan } from './plan';

const sizes = (count: number, batchSize: number, dropLast: boolean): number[] =>
  epochBatches(count, { batchSize, dropLast }).map((batch) => batch.length);

describe('epochBatches', () => {
  test.each([
    [50_000, 512, true, 97, 512],
    [50_000, 256, true, 195, 256],
    [50_000, 128, false, 391, 80],
    [50_000, 512, false, 98, 336],
    [50_000, 768, false, 66, 80],
    [10_000, 512, false, 20, 272],
    [10, 5, true, 2, 5],
    [10, 5, false, 2, 5],
    [3, 5, false, 1, 3],
    [5, 5, true, 1, 5],
  ])('%i in batches of %i, dropLast %s: %i, the last of %i', (count, size, drop, n, last) => {
    const found = sizes(count, size, drop);
    expect(found).toEqual([...Array.from({ length: n - 1 }, () => size), last]);
  });

  test('without rng the order is kept', () => {
    const batches = epochBatches(7, { batchSize: 3, dropLast: false });
    expect(batches.map((batch) => [...batch])).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  });

  test('with rng every example comes once, in the order of the permutation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 60 }), (n, size) => {
        const options = { batchSize: size, dropLast: false };
        const batches = epochBatches(n, { ...options, rng: createRng(1, 'order', n) });
        expect(batches.flatMap((batch) => [...batch])).toEqual([
          ...createRng(1, 'order', n).permutation(n),
        ]);
      }),
    );
  });

  test('dropLast drops different examples each epoch', () => {
    const dropped = [0, 1].map((epoch) => {
      const rng = createRng(1, 'order', epoch);
      const seen = new Set(
        epochBatches(100, { batchSize: 32, dropLast: true, rng }).flatMap((batch) => [...batch]),
      );
      expect(seen.size).toBe(96);
      return Array.from({ length: 100 }, (_, i) => i).filter((i) => !seen.has(i));
    });
    expect(dropped[0]).not.toEqual(dropped[1]);
  });

  test('refuses invalid sizes and those that leave no batch', () => {
    expect(() => epochBatches(64, { batchSize: 512, dropLast: true })).toThrow(
      'batches: 64 examples in batches of 512 with dropLast leave no batch. ' +
        'Use a batch size of at most 64, or keep the last batch.',
    );
    expect(() => epochBatches(64, { batchSize: 0, dropLast: false })).toThrow(AugmentError);
    expect(() => epochBatches(-1, { batchSize: 1, dropLast: false })).toThrow(AugmentError);
  });
});

describe('batchIndices', () => {
  const plan = {
    count: 4,
    cropY: Int32Array.of(10, 11, 12, 13),
    cropX: Int32Array.of(20, 21, 22, 23),
    flip: Int32Array.of(0, 1, 0, 1),
    boxY: Int32Array.of(30, 31, 32, 33),
    boxX: Int32Array.of(40, 41, 42, 43),
  };

  test("follow the batch's order", () => {
    expect(batchIndices(plan, Int32Array.of(3, 0, 3))).toEqual({
      order: Int32Array.of(3, 0, 3),
      cropY: Int32Array.of(13, 10, 13),
      cropX: Int32Array.of(23, 20, 23),
      flip: Int32Array.of(1, 0, 1),
      boxY: Int32Array.of(33, 30, 33),
      boxX: Int32Array.of(43, 40, 43),
    });
  });

  test('are new arrays', () => {
    const order = Int32Array.of(0, 1, 2, 3);
    for (const values of Object.values(batchIndices(plan, order))) values.fill(-1);
    expect([...order, ...plan.flip]).toEqual([0, 1, 2, 3, 0, 1, 0, 1]);
  });

  test.each([-1, 4])('refuse example %i, which is not in the plan', (example) => {
    expect(() => batchIndices(plan, Int32Array.of(0, example))).toThrow(
      new RegExp(`holds example ${example}, but the plan has examples 0\\.\\.3`),
    );
    expect(() => batchIndices(identityPlan(4), Int32Array.of(example))).toThrow(AugmentError);
  });
});
