import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DataError } from '../base/errors';
import { readSafetensors, writeSafetensors } from './safetensors';
import type { StoredTensor } from './safetensors';

/** A file with any header and body. */
function file(header: unknown, body: number | Uint8Array = 0): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, typeof body === 'number' ? Buffer.alloc(body) : body]);
}

function tensor<T extends StoredTensor['data']>(
  dtype: StoredTensor['dtype'],
  make: (length: number) => fc.Arbitrary<T>,
): fc.Arbitrary<StoredTensor> {
  return fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }).chain((shape) => {
    const length = shape.reduce((product, size) => product * size, 1);
    return make(length).map((data) => ({ dtype, shape, data }) as StoredTensor);
  });
}

const anyTensor = fc.oneof(
  tensor('F32', (n) => fc.float32Array({ minLength: n, maxLength: n })),
  tensor('F64', (n) => fc.float64Array({ minLength: n, maxLength: n })),
  tensor('I32', (n) => fc.int32Array({ minLength: n, maxLength: n })),
  tensor('I64', (n) => fc.bigInt64Array({ minLength: n, maxLength: n })),
  tensor('U8', (n) => fc.uint8Array({ minLength: n, maxLength: n })),
  tensor('BOOL', (n) => fc.uint8Array({ minLength: n, maxLength: n, max: 1 })),
);
const anyName = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('__proto__', 'constructor', '7', 'layer1/bn/bias'),
);
const anyTensors = fc
  .uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 8 })
  .filter((list) => list.every(([name]) => name !== '__metadata__'));
const anyMetadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 });

/** The list in reverse order. */
function turn<T>(list: readonly T[]): T[] {
  return list.map((_, i) => list[list.length - 1 - i]);
}

describe('safetensors', () => {
  test('reading inverts writing', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (list, metadata) => {
        const found = readSafetensors(writeSafetensors(list, metadata));
        expect(found.metadata).toEqual({ ...metadata });
        expect(new Set(found.tensors.keys())).toEqual(new Set(list.map(([name]) => name)));
        for (const [name, wanted] of list) {
          const { dtype, shape, data } = found.tensors.get(name)!;
          expect([dtype, shape]).toEqual([wanted.dtype, wanted.shape]);
          expect(data).toEqual(wanted.data);
        }
      }),
    );
  });

  test('the bytes depend only on the contents, not on their order', () => {
    fc.assert(
      fc.property(anyTensors, anyMetadata, (list, metadata) => {
        const turned = Object.fromEntries(turn(Object.entries(metadata)));
        expect(writeSafetensors(turn(list), turned)).toEqual(writeSafetensors(list, metadata));
      }),
    );
  });

  test('every tensor is aligned to its element size, so reading copies nothing', () => {
    const bytes = writeSafetensors([
      ['odd', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ['wide', { dtype: 'F64', shape: [], data: Float64Array.of(Math.PI) }],
      ['half', { dtype: 'F32', shape: [1], data: Float32Array.of(0.5) }],
    ]);
    const { tensors } = readSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(['wide', 'half', 'odd']);
    expect([...tensors.values()].map(({ data }) => data.buffer === bytes.buffer)).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('reads the file of another writer, unaligned and in another order', () => {
    const body = Buffer.alloc(5);
    body[0] = 7;
    body.writeFloatLE(1.5, 1);
    const bytes = file(
      {
        b: { dtype: 'F32', shape: [1], data_offsets: [1, 5] },
        a: { dtype: 'U8', shape: [], data_offsets: [0, 1] },
        __metadata__: { format: 'pt' },
      },
      body,
    );
    // At any alignment of the bytes in memory.
    for (const shift of [0, 1, 2, 3]) {
      const moved = Buffer.alloc(shift + bytes.length);
      bytes.copy(moved, shift);
      const { tensors, metadata } = readSafetensors(moved.subarray(shift));
      expect([...tensors]).toEqual([
        ['a', { dtype: 'U8', shape: [], data: Uint8Array.of(7) }],
        ['b', { dtype: 'F32', shape: [1], data: Float32Array.of(1.5) }],
      ]);
      expect(metadata).toEqual({ format: 'pt' });
    }
  });

  test('null metadata counts as missing, as in the reference reader', () => {
    expect(readSafetensors(file({ __metadata__: null }))).toEqual({
      tensors: new Map(),
      metadata: {},
    });
  });

  test('the layout on disk, byte by byte', () => {
    const bytes = writeSafetensors(
      [['x', { dtype: 'I32', shape: [2], data: Int32Array.of(1, -1) }]],
      {
        b: '2',
        a: '1',
      },
    );
    const header =
      '{"__metadata__":{"a":"1","b":"2"},"x":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}}';
    expect(bytes.readBigUInt64LE(0)).toBe(BigInt(88));
    expect(bytes.toString('utf8', 8, 96)).toBe(header.padEnd(88));
    expect([...bytes.subarray(96)]).toEqual([1, 0, 0, 0, 255, 255, 255, 255]);
  });
});

describe('safetensors refuses', () => {
  const f32 = (shape: number[], data_offsets: unknown): object => ({
    dtype: 'F32',
    shape,
    data_offsets,
  });

  test.each<[string, Buffer, string]>([
    ['an empty file', Buffer.alloc(0), 'bytes: it has 0 bytes, too few for its header'],
    ['a header longer than the file', file({}).subarray(0, 9), 'it has 9 bytes, too few'],
    [
      'a length beyond all bounds',
      Buffer.alloc(16, 255),
      'its header has 18446744073709552000 bytes, more than the format allows',
    ],
    ['a header that is not JSON', file('{"a":'), 'bytes: its header is not JSON'],
    ['a header that is not an object', file('[]'), 'bytes: its header is not a JSON object'],
    [
      'metadata that is not text',
      file({ __metadata__: { a: 1 } }),
      '"__metadata__" is not an object of strings',
    ],
    [
      'a dtype it does not know',
      file({ a: { dtype: 'F33', shape: [], data_offsets: [0, 0] } }),
      'tensor "a" has dtype "F33", expected one of F32, F64, I32, I64, U8, BOOL. Nearest: "F32".',
    ],
    ['an entry that is null', file({ a: null }), 'tensor "a" has dtype undefined'],
    ['a negative shape', file({ a: f32([-1], [0, 4]) }, 4), 'tensor "a" has shape [-1]'],
    ['one offset', file({ a: f32([1], [0]) }, 4), 'tensor "a" has data_offsets [0]'],
    [
      'an end before the start',
      file({ a: f32([1], [4, 0]) }, 4),
      'tensor "a" lies at [4,0], outside',
    ],
    ['an end outside', file({ a: f32([2], [0, 8]) }, 4), 'lies at [0,8], outside the 4 bytes'],
    [
      'a shape that does not fit',
      file({ a: f32([2], [0, 4]) }, 4),
      'tensor "a" is F32 [2], 8 bytes, but lies at [0,4].',
    ],
    [
      'more elements than can be counted, though one size is 0',
      file({ a: f32([2 ** 40, 2 ** 40, 0], [0, 0]) }),
      'tensor "a" has shape [1099511627776,1099511627776,0], more elements than can be counted',
    ],
    [
      'more axes than NumPy has',
      file({ a: f32(Array<number>(1000).fill(1), [0, 4]) }, 4),
      'tensor "a" has shape [1,1,1,',
    ],
    ['a byte order mark', file('\ufeff{}'), 'bytes: its header is not JSON'],
    [
      'control characters in a name, which it escapes',
      file({ 'a\u001b[2J': null }),
      'tensor "a\\u001b[2J" has dtype undefined',
    ],
    [
      'tensors that overlap',
      file({ a: f32([2], [0, 8]), b: f32([1], [4, 8]) }, 8),
      'tensor "b" begins at byte 4 and overlaps the one before it, which ends at 8.',
    ],
    [
      'a gap',
      file({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, 12),
      'tensor "b" begins at byte 8 and leaves a gap after 4. Write the file again, or use another copy.',
    ],
    [
      'bytes after the last tensor',
      file({ a: f32([1], [0, 4]) }, 5),
      '5 bytes follow the header, but its tensors hold 4.',
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(DataError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  test('a damaged byte with a DataError if it cannot be read, never with another error', () => {
    const list = fc.tuple(anyTensors, fc.nat(), fc.integer({ min: 1, max: 255 }));
    fc.assert(
      fc.property(list, ([tensors, place, flip]) => {
        const bytes = writeSafetensors(tensors, { key: 'value' });
        bytes[place % bytes.length] ^= flip;
        let error: unknown = new DataError('none');
        try {
          readSafetensors(bytes);
        } catch (found) {
          error = found;
        }
        expect(error).toBeInstanceOf(DataError);
      }),
    );
  });

  test('a missing or truncated file, with its name', () => {
    const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
    const path = join(folder, 'net.safetensors');
    try {
      expect(() => readSafetensors(path)).toThrow(`safetensors: ${path} cannot be read (ENOENT`);
      const data = Float32Array.of(1, 2);
      const bytes = writeSafetensors([['a', { dtype: 'F32', shape: [2], data }]]);
      writeFileSync(path, bytes.subarray(0, bytes.length - 1));
      expect(() => readSafetensors(path)).toThrow(`safetensors: ${path}: tensor "a" lies at [0,8]`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('to write what it could not read', () => {
    const data = Float32Array.of(1, 2);
    expect(() => writeSafetensors([['a', { dtype: 'F32', shape: [3], data }]])).toThrow(
      'tensor "a" is declared as F32 [3], but its data is a Float32Array of 2 elements.',
    );
    const wrong = { dtype: 'I32', shape: [2], data } as unknown as StoredTensor;
    expect(() => writeSafetensors([['a', wrong]])).toThrow('but its data is a Float32Array');
    expect(() => writeSafetensors([['__metadata__', { dtype: 'F32', shape: [2], data }]])).toThrow(
      'a tensor cannot be called "__metadata__"',
    );
    const twice: StoredTensor = { dtype: 'F32', shape: [2], data };
    expect(() =>
      writeSafetensors([
        ['a', twice],
        ['a', twice],
      ]),
    ).toThrow('the name is taken');
  });
});
