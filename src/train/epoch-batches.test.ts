import { describe, expect, test } from 'vitest';
import { crop } from '../augment/crop';
import { flipLR } from '../augment/flip';
import { alternatingFlips } from '../augment/flip';
import { createRng } from '../base/rng';
import { drawEpoch, feedsOf, plainBatches } from './epoch-batches';
import type { DrawOptions } from './epoch-batches';

const options: DrawOptions = {
  count: 50,
  padded: [12, 12],
  transforms: [crop(8, 8), flipLR()],
  batchSize: 20,
};

describe('drawEpoch', () => {
  test('depends on seed and epoch alone; order and choices use separate streams', () => {
    const first = drawEpoch(options, 1, 1);
    expect(drawEpoch(options, 1, 1)).toEqual(first);
    for (const other of [drawEpoch(options, 1, 2), drawEpoch(options, 2, 1)]) {
      expect(other.batches).not.toEqual(first.batches);
      expect(other.choices).not.toEqual(first.choices);
    }
    const inOrder = drawEpoch(options, 1, 1, false);
    expect(inOrder.choices).toEqual(first.choices);
    expect(inOrder.batches.flatMap((batch) => [...batch])).toEqual(
      Array.from({ length: 40 }, (_, i) => i),
    );
  });

  test('drops the last, smaller batch by default', () => {
    const sizes = (dropLast?: boolean): number[] =>
      drawEpoch({ ...options, ...(dropLast === undefined ? {} : { dropLast }) }, 1, 1).batches.map(
        ({ length }) => length,
      );
    expect([sizes(), sizes(true), sizes(false)]).toEqual([
      [20, 20],
      [20, 20],
      [20, 20, 10],
    ]);
  });

  test('alternating flips change no other choice and mirror each image in every second epoch', () => {
    const alternating = { ...options, transforms: [crop(8, 8), flipLR({ isAlternating: true })] };
    const [first, second] = [1, 2].map((epoch) => drawEpoch(alternating, 1, epoch));
    const { flip, ...rest } = first.choices;
    const { flip: _byChance, ...expected } = drawEpoch(options, 1, 1).choices;
    expect(rest).toEqual(expected);
    expect(flip).toEqual(alternatingFlips(50, 1, createRng(1, 'flip')));
    expect(second.choices.flip).toEqual(flip.map((mirrored) => 1 - mirrored));
  });

  test('draws brightness and contrast only on request, changing nothing else', () => {
    const plain = drawEpoch(options, 1, 1);
    expect(plain.jitter).toBeUndefined();
    const { jitter, ...rest } = drawEpoch(
      { ...options, jitter: { brightness: 0.2, contrast: 0.1 } },
      1,
      1,
    );
    expect(rest).toEqual(plain);
    expect(new Set(jitter?.shift).size).toBeGreaterThan(40);
    expect(new Set(jitter?.scale).size).toBeGreaterThan(40);
  });
});

test('feedsOf picks what belongs to each example of a batch', () => {
  const drawn = drawEpoch({ ...options, jitter: { brightness: 0.2, contrast: 0.1 } }, 1, 1);
  const feeds = feedsOf(drawn.batches, drawn);
  expect(feeds).toHaveLength(2);
  for (const [index, feed] of feeds.entries()) {
    expect(feed.order).toEqual(drawn.batches[index]);
    for (const [place, example] of feed.order.entries()) {
      expect(feed.cropY[place]).toBe(drawn.choices.cropY[example]);
      expect(feed.flip[place]).toBe(drawn.choices.flip[example]);
      expect(feed.shift?.[place]).toBe(drawn.jitter?.shift[example]);
      expect(feed.scale?.[place]).toBe(drawn.jitter?.scale[example]);
    }
  }
  expect(Object.keys(feedsOf(drawn.batches, { choices: drawn.choices })[0])).not.toContain('shift');
});

test('plainBatches returns all examples in order, without augmentation', () => {
  const { batches, ...choices } = plainBatches(5, { batchSize: 2 }, true);
  expect(batches.map((batch) => [...batch])).toEqual([[0, 1], [2, 3], [4]]);
  const [, , last] = feedsOf(batches, choices);
  const zero = Int32Array.of(0);
  expect(last).toEqual({
    order: Int32Array.of(4),
    cropY: zero,
    cropX: zero,
    flip: zero,
    boxY: zero,
    boxX: zero,
    shift: Float32Array.of(0),
    scale: Float32Array.of(1),
  });
  expect(plainBatches(5, { batchSize: 2, dropLast: true }).batches).toHaveLength(2);
  expect(plainBatches(5, { batchSize: 2 }).jitter).toBeUndefined();
});
