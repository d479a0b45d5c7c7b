import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchIndices, epochBatches } from '../augment/epoch-order';
import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import { gatherOracle, gatherTables } from '../augment/gather';
import { plan } from '../augment/plan';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import { openBatches } from './open-batches';
import type { Batches, BatchesOptions } from './open-batches';

const count = 10;
const images = new Float32Array(count * 32 * 32 * 3);
createRng(3, 'images').fillUniform(images, -1, 1);
const options: BatchesOptions = {
  train: { images, labels: Int32Array.from({ length: count }, (_, index) => index % 10) },
  transforms: [crop(32, 32), flipLR(), cutout(8, 8)],
  pad: 4,
  scheme: 'groups',
  batchSize: 4,
  dropLast: false,
  seed: 5,
};

describe('openBatches', () => {
  let shuffled: Batches;
  let ordered: Batches;
  beforeAll(() => {
    shuffled = openBatches(options);
    ordered = openBatches({ ...options, isShuffled: false });
  });
  afterAll(() => {
    shuffled.dispose();
    ordered.dispose();
  });

  test('returns the batches that training with the same seed sees, including the smaller last one', async () => {
    expect(shuffled.perEpoch).toBe(3);
    const tables = gatherTables(options.transforms!, [32, 32], 4);
    const drawn = plan(options.transforms!, tables.padded, count, {
      scheme: 'groups',
      maxOptions: 200,
      rng: createRng(5, 'augment', 2),
    });
    const order = epochBatches(count, {
      batchSize: 4,
      dropLast: false,
      rng: createRng(5, 'order', 2),
    });
    for (const batch of [1, 3]) {
      const { input, target } = await shuffled.read(2, batch);
      const expected = gatherOracle(
        { data: images, shape: [count, 32, 32, 3] },
        tables,
        batchIndices(drawn, order[batch - 1]),
      );
      expect(input.shape).toEqual([order[batch - 1].length, 32, 32, 3]);
      // A pixel under the box is multiplied by 0, which gives -0 for a negative value.
      expect(input.data.map((value) => value + 0)).toEqual(expected.data);
      expect([...target.data]).toEqual([...order[batch - 1]].map((index) => index % 10));
    }
  });

  test('without shuffling keeps the order of the images and still augments each epoch differently', async () => {
    const [first, second] = [await ordered.read(1, 1), await ordered.read(2, 1)];
    expect([...first.target.data]).toEqual([0, 1, 2, 3]);
    expect([...second.target.data]).toEqual([0, 1, 2, 3]);
    expect(first.input.data).not.toEqual(second.input.data);
  });

  test('times an epoch', async () => {
    expect(await shuffled.runEpoch(1)).toBeGreaterThan(0);
  });

  test('rejects a batch size above the number of images', () => {
    expect(() => openBatches({ ...options, batchSize: 11, dropLast: true })).toThrow(AugmentError);
  });
});
