import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { batchIndices, epochBatches } from '../augment/epoch-order';
import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import { gatherOracle, gatherTables } from '../augment/gather';
import { plan } from '../augment/plan';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import type { HostTensor } from '../base/host-tensor';
import { drawEpoch, feedsOf } from './epoch-batches';
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

  test('mirrors, jitters and resamples as training does', async () => {
    const batches = openBatches({
      ...options,
      transforms: [flipLR({ isAlternating: true })],
      dropLast: true,
      isShuffled: false,
      jitter: { brightness: 0.2, contrast: 0.1 },
      sizes: [
        { from: 0, size: 16 },
        { from: 0.5, size: 32 },
      ],
    });
    try {
      const of = async (epoch: number, batch: number): Promise<HostTensor> =>
        (await batches.read(epoch, batch)).input;
      expect((await of(1, 1)).shape).toEqual([4, 16, 16, 3]);
      expect((await of(1, 2)).shape).toEqual([4, 32, 32, 3]);
      const drawing = {
        ...options,
        transforms: [flipLR({ isAlternating: true })],
        jitter: { brightness: 0.2, contrast: 0.1 },
      };
      for (const epoch of [2, 3]) {
        const drawn = drawEpoch(
          { ...drawing, dropLast: true, count, padded: [32, 32] },
          5,
          epoch,
          false,
        );
        const [feed] = feedsOf(drawn.batches, drawn);
        const tables = gatherTables(drawing.transforms, [32, 32], 0);
        const plain = gatherOracle({ data: images, shape: [count, 32, 32, 3] }, tables, feed);
        const size = 32 * 32 * 3;
        const expected = plain.data.map((value, index) => {
          const at = Math.floor(index / size);
          return (value + (feed.shift?.[at] ?? NaN)) * (feed.scale?.[at] ?? NaN);
        });
        const { data } = await of(epoch, 1);
        expect(
          Math.max(...expected.map((value, index) => Math.abs(value - data[index]))),
        ).toBeLessThan(1e-6);
      }
      const flipOf = (epoch: number): Int32Array =>
        drawEpoch({ ...drawing, count, padded: [32, 32] }, 5, epoch).choices.flip;
      expect([...flipOf(2)].map((flip) => 1 - flip)).toEqual([...flipOf(3)]);
    } finally {
      batches.dispose();
    }
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
