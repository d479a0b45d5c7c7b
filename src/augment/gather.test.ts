import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AugmentError } from '../base/errors';
import { createRng } from '../base/rng';
import { batchIndices, epochBatches } from './epoch-order';
import { crop } from './crop';
import { cutout } from './cutout';
import { flipLR } from './flip';
import { gatherOracle, gatherTables, type Images } from './gather';
import { identityPlan, plan, type Plan } from './plan';
import { apply, type Transform } from './transform';
import type { Image } from './window';

/** Reflect padding by copying: columns left and right, then rows above and below, each from its mirrored place. */
function padReflect({ data, shape }: Image, pad: number): Image {
  const [height, width, channels] = shape;
  const rows: Float32Array[][] = Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) =>
      data.slice((y * width + x) * channels, (y * width + x + 1) * channels),
    ),
  );
  const extend = <T>(line: readonly T[]): T[] => {
    const before = Array.from({ length: pad }, (_, i) => line[pad - i]);
    const after = Array.from({ length: pad }, (_, i) => line[line.length - 2 - i]);
    return [...before, ...line, ...after];
  };
  const padded = extend(rows.map(extend));
  return {
    data: Float32Array.from(padded.flatMap((row) => row.flatMap((pixel) => [...pixel]))),
    shape: [height + 2 * pad, width + 2 * pad, channels],
  };
}

function imageOf({ data, shape }: Images, index: number): Image {
  const [, height, width, channels] = shape;
  const size = height * width * channels;
  return {
    data: data.subarray(index * size, (index + 1) * size),
    shape: [height, width, channels],
  };
}

/** Applies the transforms in order, each with the plan's choice for this example. */
function composed(image: Image, transforms: readonly Transform[], chosen: Plan, i: number): Image {
  return transforms.reduce((at, transform) => {
    switch (transform.kind) {
      case 'crop':
        return apply(transform, at, { x0: chosen.cropX[i], y0: chosen.cropY[i] });
      case 'flip-lr':
        return apply(transform, at, { flip: chosen.flip[i] === 1 });
      case 'cutout':
        return apply(transform, at, { x0: chosen.boxX[i], y0: chosen.boxY[i] });
      default:
        return transform satisfies never;
    }
  }, image);
}

function numbered(count: number, height: number, width: number, channels: number): Images {
  const data = Float32Array.from({ length: count * height * width * channels }, (_, i) => i + 1);
  return { data, shape: [count, height, width, channels] };
}

const rowsOf = ({
  values,
  shape,
}: {
  readonly values: Int32Array;
  readonly shape: readonly [number, number];
}): number[][] =>
  Array.from({ length: shape[0] }, (_, row) => [
    ...values.subarray(row * shape[1], (row + 1) * shape[1]),
  ]);

describe('gatherTables', () => {
  test('of a small image, checked by hand', () => {
    const tables = gatherTables([crop(4, 3), flipLR(), cutout(3, 2)], [4, 3], 1);
    expect(tables.padded).toEqual([6, 5]);
    expect(tables.output).toEqual([4, 3]);
    expect(rowsOf(tables.rowTable)).toEqual([
      [1, 0, 1, 2],
      [0, 1, 2, 3],
      [1, 2, 3, 2],
    ]);
    expect(rowsOf(tables.colTable)).toEqual([
      [1, 0, 1],
      [0, 1, 2],
      [1, 2, 1],
      [1, 0, 1],
      [2, 1, 0],
      [1, 2, 1],
    ]);
    expect(rowsOf(tables.rowBox)).toEqual([
      [1, 1, 1, 0],
      [0, 1, 1, 1],
    ]);
    expect(rowsOf(tables.colBox)).toEqual([
      [1, 1, 0],
      [0, 1, 1],
    ]);
    expect(tables.hasCutout).toBe(true);
  });

  test('of CIFAR-10 with pad 4 have 9 offsets and 25 boxes', () => {
    const tables = gatherTables([crop(32, 32), flipLR(), cutout(8, 8)], [32, 32], 4);
    expect(tables.rowTable.shape).toEqual([9, 32]);
    expect(tables.colTable.shape).toEqual([18, 32]);
    expect(tables.rowBox.shape).toEqual([25, 32]);
    expect(tables.colBox.shape).toEqual([25, 32]);
  });

  test('without transforms or padding are the identity', () => {
    const tables = gatherTables([], [3, 2], 0);
    expect(rowsOf(tables.rowTable)).toEqual([[0, 1, 2]]);
    expect(rowsOf(tables.colTable)).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(rowsOf(tables.rowBox)).toEqual([[0, 0, 0]]);
    expect(rowsOf(tables.colBox)).toEqual([[0, 0]]);
    expect(tables.hasCutout).toBe(false);
    const images = numbered(5, 3, 2, 3);
    const order = Int32Array.of(4, 2);
    const out = gatherOracle(images, tables, batchIndices(identityPlan(5), order));
    expect(out.shape).toEqual([2, 3, 2, 3]);
    expect([...out.data]).toEqual([...imageOf(images, 4).data, ...imageOf(images, 2).data]);
  });

  test.each([[[]], [[flipLR()]], [[cutout(2, 2)]]])(
    'pad only for a crop: %j leaves an image its size',
    (transforms: Transform[]) => {
      const tables = gatherTables(transforms, [5, 5], 4);
      expect(tables.padded).toEqual([5, 5]);
      expect(tables.output).toEqual([5, 5]);
      expect(rowsOf(tables.rowTable)).toEqual([[0, 1, 2, 3, 4]]);
      expect(tables).toEqual(gatherTables(transforms, [5, 5], 0));
    },
  );

  test.each([-1, 0.5, 3])('refuse to pad a 5 x 3 image by %d', (pad) => {
    expect(() => gatherTables([], [5, 3], pad)).toThrow(/mode reflect\. Give .* from 0 to 2/);
  });

  test('refuse a crop larger than the padded image', () => {
    expect(() => gatherTables([crop(32, 32)], [20, 20], 4)).toThrow(/image of 28 x 28/);
  });
});

describe('gatherOracle', () => {
  /** Any subset of crop, flip, cutout, that fits an image of any shape and padding. */
  const anyCase = fc
    .record({
      height: fc.integer({ min: 1, max: 9 }),
      width: fc.integer({ min: 1, max: 9 }),
      channels: fc.constantFrom(1, 3),
      count: fc.integer({ min: 1, max: 12 }),
      padPart: fc.nat(8),
      has: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
      parts: fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30), fc.nat(30)),
      scheme: fc.constantFrom('groups' as const, 'per-example' as const),
      seed: fc.nat(),
      batchSize: fc.integer({ min: 1, max: 12 }),
    })
    .map(({ height, width, padPart, has, parts, ...rest }) => {
      const pad = padPart % Math.min(height, width);
      // Only a crop sees the padding.
      const used = has[0] ? pad : 0;
      let shape: readonly [number, number] = [height + 2 * used, width + 2 * used];
      const transforms: Transform[] = [];
      if (has[0]) {
        shape = [1 + (parts[0] % shape[0]), 1 + (parts[1] % shape[1])];
        transforms.push(crop(...shape));
      }
      if (has[1]) transforms.push(flipLR());
      if (has[2]) transforms.push(cutout(1 + (parts[2] % shape[0]), 1 + (parts[3] % shape[1])));
      return { height, width, pad, used, transforms, shape, ...rest };
    });

  test('equals the transforms applied in order to the padded image', () => {
    fc.assert(
      fc.property(anyCase, (c) => {
        const images = numbered(c.count, c.height, c.width, c.channels);
        const tables = gatherTables(c.transforms, [c.height, c.width], c.pad);
        const rng = createRng(c.seed);
        const chosen = plan(c.transforms, tables.padded, c.count, { scheme: c.scheme, rng });
        const batches = epochBatches(c.count, { batchSize: c.batchSize, dropLast: false, rng });
        expect(tables.output).toEqual(c.shape);
        for (const order of batches) {
          const out = gatherOracle(images, tables, batchIndices(chosen, order));
          expect(out.shape).toEqual([order.length, ...c.shape, c.channels]);
          for (const [b, example] of order.entries()) {
            const padded = padReflect(imageOf(images, example), c.used);
            const expected = composed(padded, c.transforms, chosen, example);
            expect(imageOf(out, b)).toEqual(expected);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test('agrees for every crop, mirrored or not, of a CIFAR-sized image', () => {
    const images = numbered(1, 32, 32, 3);
    const transforms = [crop(32, 32), flipLR()];
    const tables = gatherTables(transforms, [32, 32], 4);
    const padded = padReflect(imageOf(images, 0), 4);
    const wrong: Plan[] = [];
    for (let option = 0; option < 162; option++) {
      const chosen: Plan = {
        ...identityPlan(1),
        cropX: Int32Array.of(option % 9),
        cropY: Int32Array.of(Math.floor(option / 9) % 9),
        flip: Int32Array.of(option < 81 ? 0 : 1),
      };
      const out = gatherOracle(images, tables, batchIndices(chosen, Int32Array.of(0)));
      const expected = composed(padded, transforms, chosen, 0).data;
      if (!out.data.every((value, i) => value === expected[i])) wrong.push(chosen);
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['order', 2, '0..1'],
    ['cropY', 3, '0..2'],
    ['cropX', 3, '0..2'],
    ['flip', 2, '0..1'],
    ['boxY', 2, '0..1'],
    ['boxX', -1, '0..2'],
  ] as const)('refuses %s %i, which is outside its table', (name, value, range) => {
    const tables = gatherTables([crop(4, 4), flipLR(), cutout(3, 2)], [4, 4], 1);
    const batch = batchIndices(identityPlan(2), Int32Array.of(0));
    expect(() =>
      gatherOracle(numbered(2, 4, 4, 1), tables, { ...batch, [name]: Int32Array.of(value) }),
    ).toThrow(`gather: ${name} is ${value}, expected ${range}.`);
  });

  test('refuses images of another shape', () => {
    const batch = batchIndices(identityPlan(1), Int32Array.of(0));
    expect(() =>
      gatherOracle(numbered(1, 40, 40, 3), gatherTables([], [32, 32], 4), batch),
    ).toThrow(AugmentError);
  });
});

describe('reference fixture', () => {
  const folder = resolve(__dirname, '../../test/fixtures/reference');

  interface Entry {
    readonly crop_x0: number;
    readonly crop_y0: number;
    readonly flip: boolean;
    readonly cutout_x0: number;
    readonly cutout_y0: number;
    readonly cutout: readonly [number, number];
  }
  const entries = JSON.parse(readFileSync(resolve(folder, 'preprocess.json'), 'utf8')) as Entry[];

  const file = readFileSync(resolve(folder, 'preprocess.safetensors'));
  const bodyFrom = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, bodyFrom)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  function tensor(name: string): { data: Float32Array; shape: number[] } {
    const { dtype, shape, data_offsets } = header[name];
    const bytes = Uint8Array.from(
      file.subarray(bodyFrom + data_offsets[0], bodyFrom + data_offsets[1]),
    );
    const isFloat = dtype === 'F32';
    return {
      data: isFloat
        ? new Float32Array(bytes.buffer)
        : Float32Array.from(new Int32Array(bytes.buffer)),
      shape,
    };
  }
  const normalised = tensor('normalised') as unknown as Images;
  const transforms = [crop(32, 32), flipLR(), cutout(8, 8)];
  const chosen: Plan = {
    count: entries.length,
    cropX: Int32Array.from(entries, (entry) => entry.crop_x0),
    cropY: Int32Array.from(entries, (entry) => entry.crop_y0),
    flip: Int32Array.from(entries, (entry) => (entry.flip ? 1 : 0)),
    boxX: Int32Array.from(entries, (entry) => entry.cutout_x0),
    boxY: Int32Array.from(entries, (entry) => entry.cutout_y0),
  };

  test("padReflect of the raw images gives the fixture's padded images", () => {
    const raw = tensor('raw_uint8') as unknown as Images;
    const padded = tensor('padded_uint8') as unknown as Images;
    expect(entries.length).toBe(6);
    for (let i = 0; i < entries.length; i++) {
      expect(padReflect(imageOf(raw, i), 4)).toEqual(imageOf(padded, i));
    }
  });

  test.each(entries.map((entry, i) => [i, entry.cutout] as const))(
    'image %i: both the transforms in order and the gather are bit-identical',
    (i, box) => {
      expect(box).toEqual([8, 8]);
      const expected = tensor(`augmented/${i}`).data;
      expect(composed(padReflect(imageOf(normalised, i), 4), transforms, chosen, i).data).toEqual(
        expected,
      );
      const tables = gatherTables(transforms, [32, 32], 4);
      const batch = batchIndices(chosen, Int32Array.of(i));
      expect(gatherOracle(normalised, tables, batch).data).toEqual(expected);
    },
  );
});
