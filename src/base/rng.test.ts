import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from './errors';
import { createRng, rngFromState } from './rng';

const take = (count: number, draw: (index: number) => number): number[] =>
  Array.from({ length: count }, (_, index) => draw(index));

/** Pearson's statistic of `counts` against `expected`, as standard deviations away from its mean. */
function chiSquareSigmas(counts: readonly number[], expected: readonly number[]): number {
  const statistic = counts.reduce((sum, n, i) => sum + (n - expected[i]) ** 2 / expected[i], 0);
  const freedom = counts.length - 1;
  return (statistic - freedom) / Math.sqrt(2 * freedom);
}

function histogram(draws: readonly number[], bins: number): number[] {
  const counts = Array.from({ length: bins }, () => 0);
  for (const bin of draws) counts[bin]++;
  return counts;
}

const even = (total: number, bins: number): number[] =>
  Array.from({ length: bins }, () => total / bins);

describe('known answers', () => {
  test('xoshiro128** from state 1, 2, 3, 4: the published reference output', () => {
    const rng = rngFromState([1, 2, 3, 4]);
    expect(take(10, rng.nextUint32)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ]);
  });

  // Made by an independent big-integer implementation of the generator over another SHA-256.
  test.each([
    [[0], [3610796631, 2415345072, 2227475874, 370072407]],
    [
      [1, 'augment', 0],
      [1233113030, 2164916862, 1072018701, 2264684433],
    ],
    [
      [1, 'augment', 1],
      [3250713887, 597246488, 740338774, 1102584990],
    ],
    [
      [2n ** 64n - 1n, 'weights', 'layer1/conv'],
      [3510663362, 4045834578, 2569158174, 916577167],
    ],
  ] as const)('stream %s', ([seed, ...stream], words) => {
    expect(take(4, createRng(seed, ...stream).nextUint32)).toEqual(words);
  });

  test('uniform, integer and fillUniform are the words scaled', () => {
    const words = take(4, rngFromState([1, 2, 3, 4]).nextUint32);
    const rng = rngFromState([1, 2, 3, 4]);
    expect(rng.uniform()).toBe(((words[0] >>> 5) * 2 ** 26 + (words[1] >>> 6)) / 2 ** 53);
    expect(rng.integer(2 ** 32)).toBe(words[2]);
    expect(rng.integer(2 ** 20)).toBe(words[3] >>> 12);
    const filled = rngFromState([1, 2, 3, 4]).fillUniform(new Float32Array(4), -1, 3);
    expect([...filled]).toEqual(words.map((w) => Math.fround(-1 + (4 * (w >>> 8)) / 2 ** 24)));
  });
});

describe('streams', () => {
  test('the same seed and stream give the same numbers, as number or bigint', () => {
    fc.assert(
      fc.property(
        fc.maxSafeInteger(),
        fc.array(fc.oneof(fc.string(), fc.maxSafeInteger())),
        (seed, stream) => {
          const first = take(8, createRng(seed, ...stream).nextUint32);
          expect(take(8, createRng(BigInt(seed), ...stream).nextUint32)).toEqual(first);
        },
      ),
    );
  });

  test('streams that look alike are different', () => {
    const firsts = [
      createRng(1),
      createRng(2),
      createRng(-1),
      createRng(1, ''),
      createRng(1, 'ab'),
      createRng(1, 'a', 'b'),
      createRng(1, 'a,b'),
      createRng(1, 'a","b'),
      createRng(1, 'a', 'b', 0),
      createRng(1, 1),
      createRng(1, '1'),
      createRng(1, 1, 1),
      createRng(11),
    ].map((rng) => rng.nextUint32());
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  test('neighbouring epochs share no bits: half of the 32 differ on average, at every position', () => {
    const pairs = 4000;
    const flips = Array.from({ length: 32 }, () => 0);
    for (let epoch = 0; epoch < pairs; epoch++) {
      const a = createRng(7, 'order', epoch).nextUint32();
      const b = createRng(7, 'order', epoch + 1).nextUint32();
      for (let bit = 0; bit < 32; bit++) flips[bit] += ((a ^ b) >>> bit) & 1;
    }
    // A binomial of 4000 has a standard deviation of 32; five of them.
    for (const n of flips) expect(Math.abs(n - pairs / 2)).toBeLessThan(160);
  });

  test('a seed or stream number that a double does not hold is refused', () => {
    expect(() => createRng(0.5)).toThrow(UsageError);
    expect(() => createRng(2 ** 53)).toThrow(/below 2\^53.*bigint/);
    expect(() => createRng(1, 'augment', Number.NaN)).toThrow(/stream \[augment, NaN\]/);
    expect(() => rngFromState([0, 0, 0, 0])).toThrow(RangeError);
  });
});

describe('distributions', () => {
  test('words are uniform in each of their four bytes', () => {
    const words = take(200_000, createRng(1, 'bytes').nextUint32);
    for (const shift of [0, 8, 16, 24]) {
      const counts = histogram(
        words.map((word) => (word >>> shift) & 255),
        256,
      );
      expect(Math.abs(chiSquareSigmas(counts, even(words.length, 256)))).toBeLessThan(4);
    }
  });

  test('consecutive uniforms fill the square evenly', () => {
    const rng = createRng(2, 'pairs');
    const cells = take(200_000, () => {
      const x = Math.floor(rng.uniform() * 20);
      return x * 20 + Math.floor(rng.uniform() * 20);
    });
    expect(Math.abs(chiSquareSigmas(histogram(cells, 400), even(200_000, 400)))).toBeLessThan(4);
  });

  test.each([2, 3, 5, 81, 200, 625, 1000])('integer(%i) is uniform', (n) => {
    const rng = createRng(3, 'integers', n);
    const counts = histogram(
      take(1000 * n, () => rng.integer(n)),
      n,
    );
    expect(Math.abs(chiSquareSigmas(counts, even(1000 * n, n)))).toBeLessThan(4);
  });

  test('integer(3 * 2^30) has no bias to low values, as a remainder would', () => {
    const rng = createRng(4, 'bias');
    const counts = histogram(
      take(30_000, () => Math.floor(rng.integer(3 * 2 ** 30) / 2 ** 30)),
      3,
    );
    expect(Math.abs(chiSquareSigmas(counts, even(30_000, 3)))).toBeLessThan(4);
  });

  test('all 24 orders of four things are equally likely', () => {
    const rng = createRng(5, 'orders');
    const counts = new Map<string, number>();
    for (let i = 0; i < 48_000; i++) {
      const key = rng.permutation(4).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(Math.abs(chiSquareSigmas([...counts.values()], even(48_000, 24)))).toBeLessThan(4);
  });

  test('normal draws fall into the bins of the normal distribution, tails included', () => {
    // Probabilities of [0,.5), [.5,1), ... [2.5,3), [3,inf) from the error function; mirrored below zero.
    const half = [
      0.191462461274013, 0.14988228479453, 0.091848052662599, 0.044057069320678, 0.016540466372886,
      0.004859767654726, 0.00134989803163,
    ];
    const total = 400_000;
    const expected = take(14, (bin) => total * half[bin < 7 ? 6 - bin : bin - 7]);
    const rng = createRng(6, 'normal');
    const draws = take(total, rng.normal);
    const counts = histogram(
      draws.map((x) => Math.max(0, Math.min(13, Math.floor(2 * x) + 7))),
      14,
    );
    expect(Math.abs(chiSquareSigmas(counts, expected))).toBeLessThan(4);
    const mean = draws.reduce((sum, x) => sum + x, 0) / total;
    const fourth = draws.reduce((sum, x) => sum + x ** 4, 0) / total;
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(total));
    expect(Math.abs(fourth - 3)).toBeLessThan(5 * Math.sqrt(96 / total));
    // Within [0, .5) the density still falls: its mean is 0.2448 there, where an even spread has 0.25.
    const near = draws.filter((x) => x >= 0 && x < 0.5);
    const nearMean = near.reduce((sum, x) => sum + x, 0) / near.length;
    expect(Math.abs(nearMean - 0.24484)).toBeLessThan((5 * 0.1443) / Math.sqrt(near.length));
  });

  test('fillUniform has the bounds, mean and variance of U[lo, hi)', () => {
    const values = createRng(8, 'fill').fillUniform(new Float32Array(300_000), -0.25, 0.75);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    expect(values.every((x) => x >= -0.25 && x < 0.75)).toBe(true);
    expect(Math.abs(mean - 0.25)).toBeLessThan(5 * Math.sqrt(1 / 12 / values.length));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.001);
  });
});

describe('permutation and shuffle', () => {
  test('hold every element once', () => {
    fc.assert(
      fc.property(fc.nat(300), fc.maxSafeInteger(), (n, seed) => {
        const found = createRng(seed).permutation(n);
        expect(found.length).toBe(n);
        expect(new Set(found)).toEqual(new Set(Array.from({ length: n }, (_, i) => i)));
      }),
    );
  });

  test('shuffle works in place, on arrays of anything', () => {
    const values = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    const shuffled = createRng(9).shuffle(values);
    expect(shuffled).toBe(values);
    expect(shuffled.join('')).not.toBe('abcdefgh');
    expect(shuffled.length).toBe(8);
    expect(new Set(shuffled)).toEqual(new Set('abcdefgh'));
  });

  test.each([0, -1, 1.5, 2 ** 32 + 1, Number.NaN])('integer(%d) is refused', (n) => {
    expect(() => createRng(1).integer(n)).toThrow(RangeError);
  });

  test.each([-1, 1.5, 2 ** 31])('permutation(%d) is refused', (n) => {
    expect(() => createRng(1).permutation(n)).toThrow(RangeError);
  });
});
