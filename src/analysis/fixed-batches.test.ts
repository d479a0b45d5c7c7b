import { describe, expect, test } from 'vitest';
import { crop } from '../augment/crop';
import { flipLR } from '../augment/flip';
import { createRng } from '../base/rng';
import type { HostTensor } from '../base/host-tensor';
import { fixedBatches } from './fixed-batches';

const count = 50;
const images: HostTensor = {
  shape: [count, 8, 8, 3],
  data: createRng(1).fillUniform(new Float32Array(count * 192), -1, 1),
};
// Each label identifies its image.
const labels = Int32Array.from({ length: count }, (_, i) => i);

describe('fixedBatches', () => {
  test('without transforms: every whole batch, each image once and with its label', () => {
    const batches = fixedBatches(images, labels, { transforms: [], pad: 0, batchSize: 8, seed: 3 });
    expect(batches.length).toBe(6);
    const seen = batches.flatMap(({ input, target }) => {
      expect(input.shape).toEqual([8, 8, 8, 3]);
      return [...target.data].map((label, i) => {
        const shown = input.data.subarray(i * 192, (i + 1) * 192);
        expect(shown).toEqual(images.data.subarray(label * 192, (label + 1) * 192));
        return label;
      });
    });
    expect(new Set(seen).size).toBe(48);
    expect(seen).not.toEqual([...labels].slice(0, 48));
  });

  test('augmented: a seed determines the batches; a count takes the first of them', () => {
    const options = { transforms: [crop(8, 8), flipLR()], pad: 2, batchSize: 16, seed: 3 };
    const batches = fixedBatches(images, labels, options);
    expect(fixedBatches(images, labels, options)).toEqual(batches);
    expect(fixedBatches(images, labels, { ...options, count: 2 })).toEqual(batches.slice(0, 2));
    const others = fixedBatches(images, labels, { ...options, seed: 4 });
    expect(others[0].target).not.toEqual(batches[0].target);
    const [first] = batches;
    const unmoved = [...first.target.data].filter((label, i) =>
      first.input.data
        .subarray(i * 192, (i + 1) * 192)
        .every((x, j) => x === images.data[label * 192 + j]),
    );
    expect(unmoved.length).toBeLessThan(4);
  });
});
