import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { DataError } from '../base/errors';
import { readEntries } from './archive';
import { imageBytes } from './decode';
import { decodePickle, mostPickleBytes } from './python-batch';

const fixtures = join(__dirname, '../../test/data/fixtures');
const planes = Buffer.from(
  Uint8Array.from({ length: 2 * imageBytes }, (_, i) => i * 7 + Math.floor(i / 256) * 13 + 5),
);
const wanted = Buffer.concat([
  Uint8Array.of(9),
  planes.subarray(0, imageBytes),
  Uint8Array.of(3),
  planes.subarray(imageBytes),
]);

/** Pickles written by Python 3.11 and NumPy 2.4, by name; `make_pickles.py` is beside them. */
const pickles = new Map<string, Buffer>();
beforeAll(async () => {
  for await (const { name, content } of readEntries(
    join(fixtures, 'pickles.tar.gz'),
    () => mostPickleBytes(2),
    {},
  )) {
    pickles.set(name, content);
  }
});

const forms = [
  'plain',
  'bytes-keys',
  'numpy-labels',
  'label-array',
  'label-column',
  'label-tuple',
  'fortran',
  'transposed',
  'reversed',
  'four-axes',
  'ordered',
];

describe('decodePickle', () => {
  test.each(forms.flatMap((form) => [0, 1, 2, 3, 4, 5].map((protocol) => `${form}-${protocol}`)))(
    'NumPy 2: %s',
    (name) => {
      expect(decodePickle(pickles.get(name)!, 2).equals(wanted)).toBe(true);
    },
  );

  // Written by NumPy 1.16 under Python 2.7 (as the official files were), and by NumPy 2.4 under Python 3.11.
  test.each(['python2.pickle', 'python3-protocol2.pickle', 'python3.pickle'])('%s', (name) => {
    expect(decodePickle(readFileSync(join(fixtures, name)), 2).equals(wanted)).toBe(true);
  });

  describe('Python 2, protocol 0', () => {
    const repr = [...planes]
      .map((byte) => {
        const character = String.fromCharCode(byte);
        const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t', "'": "\\'", '\\': '\\\\' }[
          character
        ];
        if (named !== undefined) return named;
        return byte < 32 || byte > 126 ? `\\x${byte.toString(16).padStart(2, '0')}` : character;
      })
      .join('');
    const array =
      "cnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n" +
      "(I1\n(I2\nI3072\ntp8\ncnumpy\ndtype\np9\n(S'u1'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\np13\nNNNI-1\nI-1\nI0\ntp14\nb" +
      `I00\nS'${repr}'\np15\ntp16\nb`;
    const labels = '(lp18\nI9\naL3L\na';

    test.each([
      ['a dictionary', `(dp0\nS'data'\np1\n${array}sS'labels'\np17\n${labels}s.`],
      [
        'an OrderedDict, which gets a list of its items',
        `ccollections\nOrderedDict\n((l(lS'data'\na${array}aa(lS'labels'\na${labels}aatR.`,
      ],
    ])('%s', (_, pickle) => {
      expect(decodePickle(Buffer.from(pickle, 'latin1'), 2).equals(wanted)).toBe(true);
    });

    test.each(['I5\n', '(lI5\na', "(l(lS'data'\naa"])(
      'an OrderedDict of %j is refused',
      (items) => {
        expect(() =>
          decodePickle(Buffer.from(`ccollections\nOrderedDict\n(${items}tR.`), 2),
        ).toThrow('pickle: an OrderedDict has no list of pairs.');
      },
    );
  });

  test('refuses a function that no batch needs, without calling it', () => {
    expect(() => decodePickle(Buffer.from("cos\nsystem\n(S'true'\ntR."), 1)).toThrow(
      'pickle: it refers to os.system, which is not allowed.',
    );
    expect(() =>
      decodePickle(Buffer.from('cconstructor\nconstructor\n(S"return 1"\ntR.'), 1),
    ).toThrow('pickle: it refers to constructor.constructor, which is not allowed.');
  });

  test.each([
    ['a cut file', () => pickles.get('plain-5')!.subarray(0, 4000), 'it is cut short'],
    ['another file', () => Buffer.from('<html>404</html>'), 'it has the unsupported opcode 0x3c'],
    ['another dictionary', () => Buffer.from('}.'), 'its dictionary has no array "data"'],
    ['no dictionary', () => Buffer.from('].'), 'it does not hold a dictionary'],
    ['an empty stack', () => Buffer.from('.'), 'its stack is empty'],
    ['a mark that was never set', () => Buffer.from('t.'), 'a mark is missing'],
    ['endless opcodes', () => Buffer.from(']'.repeat(2000)), 'it has more than 1200 opcodes'],
    ['more bytes than two images take', () => Buffer.alloc(2 ** 21, ']'), 'at most 1073160'],
    [
      'a dtype other than uint8',
      () => replaced('plain-4', 'u1', 'f4'),
      '"data" is f4 [2,3072], expected u1 [2,3072]',
    ],
    ['a label above 9', () => replaced('plain-4', 'K\x09K\x03e', 'K\x09K\x0ae'), 'label 1 is 10'],
    [
      'one label too many',
      () => replaced('plain-2', 'K\x09K\x03e', 'K\x01K\x09K\x03e'),
      '"labels" has 3 entries, expected 2',
    ],
    [
      'an invalid order of axes',
      () => replaced('transposed-5', 'K\x00K\x03K\x01K\x02t', 'K\x00K\x03K\x01K\x01t'),
      'an array has an invalid order of axes',
    ],
  ])('refuses %s', (_, pickle, message) => {
    expect(() => decodePickle(pickle(), 2)).toThrow(DataError);
    expect(() => decodePickle(pickle(), 2)).toThrow(message);
  });

  test('does not expand a nested key of exponential length', () => {
    // Sixty lists, each twice in the next: as text they would have 2^60 characters.
    const nested = `]q\x00${'](h\x00h\x00eq\x00'.repeat(60)}`;
    expect(() => decodePickle(Buffer.from(`}(${nested}Nu.`, 'latin1'), 2)).toThrow(
      'its dictionary has no array "data"',
    );
  });

  test('a damaged byte gives a DataError or records', () => {
    const pickle = pickles.get('numpy-labels-5')!;
    fc.assert(
      fc.property(fc.nat(pickle.length - 1), fc.nat(255), (at, byte) => {
        const damaged = Buffer.from(pickle);
        damaged[at] = byte;
        return outcome(() => decodePickle(damaged, 2)) !== 'another error';
      }),
      { numRuns: 500 },
    );
  });
});

function outcome(decode: () => Buffer): 'records' | 'refused' | 'another error' {
  try {
    return decode().length === wanted.length ? 'records' : 'another error';
  } catch (error) {
    return error instanceof DataError ? 'refused' : 'another error';
  }
}

/** A pickle of the fixtures with one part replaced. */
function replaced(name: string, from: string, to: string): Buffer {
  const text = pickles.get(name)!.toString('latin1');
  expect(text).toContain(from);
  return Buffer.from(text.replace(from, to), 'latin1');
}
