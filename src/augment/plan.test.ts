import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import { crop } from './crop';
import { cutout } from './cutout';
import { flipLR } from './flip';
import { evenSplits, identityPlan, plan, type Plan, type Scheme } from './plan';

const cfc = [crop(32, 32), flipLR(), cutout(8, 8)];
const draw = (count: number, scheme: Scheme, seed = 1): Plan =>
  plan(cfc, [40, 40], count, { scheme, rng: createRng(seed, 'augment', 0) });

/** How many examples have each pair (a[i], b[i]). */
function countPairs(a: Int32Array, b: Int32Array): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < a.length; i++) {
    const key = `${a[i]},${b[i]}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

const sum = (values: Int32Array): number => values.reduce((total, value) => total + value, 0);

describe('evenSplits', () => {
  interface Case {
    readonly N: number;
    readonly chunks: number;
    readonly splits: readonly number[];
  }
  const path = resolve(__dirname, '../../test/fixtures/reference/core.json');
  const cases = (JSON.parse(readFileSync(path, 'utf8')) as { even_splits: Case[] }).even_splits;

  test.each(cases)('is the reference for $N in $chunks', ({ N, chunks, splits }) => {
    expect([...evenSplits(N, chunks)]).toEqual(splits);
  });

  test('sizes sum to N, differ by at most one and never grow', () => {
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 1, max: 300 }), (count, parts) => {
        const bounds = evenSplits(count, parts);
        const sizes = Array.from({ length: parts }, (_, i) => bounds[i + 1] - bounds[i]);
        expect([bounds.length, bounds[0], bounds[parts]]).toEqual([parts + 1, 0, count]);
        expect(sizes.filter((size) => size === Math.ceil(count / parts)).length).toBe(
          count % parts || parts,
        );
        expect(sizes.every((size, i) => i === 0 || size <= sizes[i - 1])).toBe(true);
      }),
    );
  });
});

// Made by an independent implementation: a change here means that no old run can be repeated or resumed.
test.each([
  [
    'per-example',
    [0, 1, 4, 4, 3, 1],
    [4, 7, 3, 7, 7, 0],
    [1, 0, 1, 1, 1, 1],
    [5, 4, 0, 10, 12, 2],
    [8, 16, 21, 3, 24, 21],
  ],
  [
    'groups',
    [1, 2, 6, 8, 0, 4],
    [5, 5, 1, 8, 3, 0],
    [1, 1, 0, 0, 1, 0],
    [24, 20, 21, 12, 4, 4],
    [12, 23, 10, 4, 22, 2],
  ],
] as const)('the plan of seed 1, scheme %s, is known', (scheme, cropY, cropX, flip, boxY, boxX) => {
  const choices = { cropY, cropX, flip, boxY, boxX };
  const known = Object.entries(choices).map(([name, values]) => [name, Int32Array.from(values)]);
  expect(draw(6, scheme)).toEqual({ count: 6, ...Object.fromEntries(known) });
});

describe('groups', () => {
  const epoch = draw(50_000, 'groups');

  test('mirror exactly half', () => {
    expect(sum(epoch.flip)).toBe(25_000);
    expect([3, 4]).toContain(sum(draw(7, 'groups').flip));
  });

  test('use all 81 crops, 23 of them 618 times and the rest 617', () => {
    const sizes = [...countPairs(epoch.cropX, epoch.cropY).values()];
    expect(sizes.filter((size) => size === 618).length).toBe(50_000 % 81);
    expect(sizes.filter((size) => size === 617).length).toBe(81 - (50_000 % 81));
  });

  test('use 200 of 625 boxes, 250 times each, other ones each epoch', () => {
    const first = countPairs(epoch.boxX, epoch.boxY);
    expect(first.size).toBe(200);
    expect(new Set(first.values())).toEqual(new Set([250]));
    const other = draw(50_000, 'groups', 2);
    const second = countPairs(other.boxX, other.boxY);
    const shared = [...second.keys()].filter((key) => first.has(key)).length;
    // 200 of 625 drawn twice share 64 on average, with a standard deviation of 5.4.
    expect(Math.abs(shared - 64)).toBeLessThan(27);
  });

  test('take as many options as maxOptions says', () => {
    const { cropX, cropY, boxX, boxY } = plan(cfc, [40, 40], 1000, {
      scheme: 'groups',
      maxOptions: 10,
      rng: createRng(1),
    });
    expect(countPairs(cropX, cropY).size).toBe(10);
    expect(new Set(countPairs(boxX, boxY).values())).toEqual(new Set([100]));
  });

  test('are not runs of neighbours: group and place in the data set are unrelated', () => {
    const same = epoch.flip.filter((flip, i) => flip === epoch.flip[(i + 1) % 50_000]).length;
    expect(Math.abs(same - 25_000)).toBeLessThan(5 * Math.sqrt(12_500));
  });

  test('work where there are fewer examples than options', () => {
    const small = draw(3, 'groups');
    expect(countPairs(small.boxX, small.boxY).size).toBe(3);
    expect(draw(0, 'groups').flip.length).toBe(0);
  });
});

describe('per example', () => {
  const epoch = draw(50_000, 'per-example');

  test.each([
    ['crops', countPairs(epoch.cropX, epoch.cropY), 81],
    ['flips', countPairs(epoch.flip, epoch.flip), 2],
    ['boxes', countPairs(epoch.boxX, epoch.boxY), 625],
  ] as const)('%s are uniform', (_, counts, optionCount) => {
    const expected = 50_000 / optionCount;
    const statistic = [...counts.values()].reduce((s, n) => s + (n - expected) ** 2 / expected, 0);
    const freedom = optionCount - 1;
    expect(counts.size).toBe(optionCount);
    expect(Math.abs(statistic - freedom)).toBeLessThan(4 * Math.sqrt(2 * freedom));
  });

  test('do not balance: sizes spread as independent draws do', () => {
    const sizes = [...countPairs(epoch.boxX, epoch.boxY).values()];
    const variance = sizes.reduce((s, n) => s + (n - 80) ** 2, 0) / sizes.length;
    expect(variance).toBeGreaterThan(60);
    expect(variance).toBeLessThan(100);
  });
});

describe.each(['groups', 'per-example'] as const)('any plan, %s', (scheme) => {
  const bounds = (values: Int32Array): [number, number] => [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b)),
  ];

  test('choices span the whole of their range, on each axis of an oblong image', () => {
    const transforms = [crop(30, 20), flipLR(), cutout(8, 4)];
    const rng = createRng(1);
    const epoch = plan(transforms, [33, 27], 20_000, { scheme, maxOptions: 1000, rng });
    expect(bounds(epoch.cropY)).toEqual([0, 3]);
    expect(bounds(epoch.cropX)).toEqual([0, 7]);
    expect(bounds(epoch.flip)).toEqual([0, 1]);
    expect(bounds(epoch.boxY)).toEqual([0, 22]);
    expect(bounds(epoch.boxX)).toEqual([0, 16]);
  });

  test('transforms are drawn independently of each other', () => {
    const { flip, cropX, boxX } = draw(50_000, scheme);
    for (const values of [cropX, boxX]) {
      const mean = sum(values) / 50_000;
      let product = 0;
      let square = 0;
      for (let i = 0; i < 50_000; i++) {
        product += (flip[i] - 0.5) * (values[i] - mean);
        square += (values[i] - mean) ** 2;
      }
      expect(Math.abs(product)).toBeLessThan(5 * 0.5 * Math.sqrt(square));
    }
  });

  test('the same stream gives the same plan, the next epoch another', () => {
    const of = (epoch: number): Plan =>
      plan(cfc, [40, 40], 500, { scheme, rng: createRng(3, 'augment', epoch) });
    expect(of(4)).toEqual(of(4));
    const [a, b] = [of(4), of(5)];
    for (const key of ['cropY', 'cropX', 'flip', 'boxY', 'boxX'] as const) {
      expect(a[key]).not.toEqual(b[key]);
    }
  });

  test('an absent transform leaves zeros, and leaving out the last changes nothing before it', () => {
    const options = (): Parameters<typeof plan>[3] => ({ scheme, rng: createRng(3) });
    const whole = plan(cfc, [40, 40], 300, options());
    const cf = plan(cfc.slice(0, 2), [40, 40], 300, options());
    const zeros = new Int32Array(300);
    expect(cf).toEqual({ ...whole, boxX: zeros, boxY: zeros });
    expect(plan([], [32, 32], 300, options())).toEqual(identityPlan(300));
    const f = plan([flipLR()], [32, 32], 300, options());
    expect(f).toEqual({ ...identityPlan(300), flip: f.flip });
    expect(sum(f.flip)).toBeGreaterThan(0);
  });
});

describe('errors', () => {
  const rng = createRng(1);

  test('name what does not fit', () => {
    expect(() => plan(cfc, [28, 28], 10, { scheme: 'groups', rng })).toThrow(
      /crop: a window of 32 x 32 does not fit/,
    );
    expect(() => plan([crop(4, 4), cutout(8, 8)], [40, 40], 10, { scheme: 'groups', rng })).toThrow(
      /cutout: .*image of 4 x 4/,
    );
    expect(() => plan(cfc, [40, 40], 10, { scheme: 'groups', maxOptions: 0, rng })).toThrow(
      /maxOptions is 0/,
    );
    expect(() => plan(cfc, [40, 40], 1.5, { scheme: 'groups', rng })).toThrow(AugmentError);
    expect(() => identityPlan(-1)).toThrow(/-1 is no number of examples/);
  });
});
