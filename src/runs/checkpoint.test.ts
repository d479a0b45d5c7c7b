import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { filled, sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { readSafetensors, writeSafetensors } from '../data/safetensors';
import type { StoredTensor } from '../data/safetensors';
import type { EpochRow, Snapshot } from '../train/training';
import { fingerprint, keepCheckpoint, lastCheckpoint, readCheckpoint } from './checkpoint';
import type { Checkpoint } from './checkpoint';
import { openRunFolder } from './folder';
import type { RunFolder } from './folder';

let path: string;
let folder: RunFolder;

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'cifar10-fast-checkpoint-'));
  folder = await openRunFolder(path);
});

afterEach(() => {
  folder.release();
  rmSync(path, { recursive: true });
});

/** Plain objects with a prototype, as from JSON and literals. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });
const seconds = fc.double({ min: 0, max: 1e6, noNaN: true });
const share = fc.double({ min: 0, max: 1, noNaN: true });
// JSON has no negative zero.
const loss = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const figures = plain({ time: seconds, loss, acc: share });
const rowOf = (epoch: number): fc.Arbitrary<EpochRow> =>
  plain({
    epoch: fc.constant(epoch),
    lr: share,
    train: figures,
    valid: figures,
    'total time': seconds,
  });
const float = fc.float({ noNaN: true, noDefaultInfinity: true });
/** Tensors of every type that a session holds. */
const tensor: fc.Arbitrary<HostTensor> = fc
  .array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 })
  .chain((shape) => {
    const size = sizeOf(shape);
    const of = (value: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
      fc.array(value, { minLength: size, maxLength: size });
    return fc.oneof(
      of(float).map((values) => ({ shape, data: Float32Array.from(values) })),
      of(fc.integer()).map((values) => ({ shape, data: Int32Array.from(values) })),
      of(fc.nat(1)).map((values) => ({ shape, data: Uint8Array.from(values) })),
    );
  });
const name = fc.constantFrom(
  'prep/conv/weight',
  'a',
  '__proto__',
  'layer1/b',
  'é/ß',
  ' ',
  'x/y/z/',
);
const variables = fc
  .array(fc.tuple(name, tensor), { maxLength: 3 })
  .map((list): Record<string, HostTensor> => Object.fromEntries(list));
const sum = float.map((value) => filled([], value));
const unfinished = plain({
  batches: fc.integer({ min: 1, max: 1000 }),
  timeSec: seconds,
  totals: plain({ loss: sum, correct: sum, count: sum, firstBadStep: sum }),
});
const snapshot: fc.Arbitrary<Snapshot> = fc
  .tuple(
    plain({
      epoch: fc.nat(3),
      totalSec: seconds,
      learnt: plain({
        network: variables,
        velocity: variables,
        ema: variables,
        extra: variables,
      }),
    }),
    fc.option(unfinished),
  )
  .map(([whole, part]) => (part === null ? whole : { ...whole, unfinished: part }));
const checkpoint: fc.Arbitrary<Checkpoint> = snapshot.chain((of) =>
  plain({
    snapshot: fc.constant(of),
    rows: fc.tuple(...Array.from({ length: of.epoch }, (_, i) => rowOf(i + 1))),
    config: fc.stringMatching(/^[0-9a-f]{64}$/),
  }),
);

function rowsTo(epoch: number): EpochRow[] {
  const figures = { time: 1, loss: 1.5, acc: 0.5 };
  return Array.from({ length: epoch }, (_, i) => {
    return { epoch: i + 1, lr: 0.1, train: figures, valid: figures, 'total time': i + 1 };
  });
}

const sample = (epoch: number, batches = 0): Checkpoint => ({
  snapshot: {
    epoch,
    totalSec: 1.5 * epoch,
    learnt: {
      network: { 'linear/weight': { shape: [2, 2], data: Float32Array.of(1, -2, 3, epoch) } },
      velocity: { 'linear/weight': filled([2, 2], 0.5) },
      ema: {},
      extra: { steps: { shape: [], data: Int32Array.of(7 * epoch) } },
    },
    ...(batches === 0
      ? {}
      : {
          unfinished: {
            batches,
            timeSec: 0.25,
            totals: {
              loss: filled([], 2),
              correct: filled([], 1),
              count: filled([], 8),
              firstBadStep: filled([], -1),
            },
          },
        }),
  },
  rows: rowsTo(epoch),
  config: 'c'.repeat(64),
});

describe('a checkpoint', () => {
  test('is read back bit-identically', async () => {
    await fc.assert(
      fc.asyncProperty(checkpoint, async (given) => {
        const file = await keepCheckpoint(folder, given, 1);
        expect(readCheckpoint(join(path, file))).toStrictEqual(given);
        expect(readCheckpoint(readFileSync(join(path, file)))).toStrictEqual(given);
      }),
      { numRuns: 60 },
    );
  });

  test('with any bit flipped is refused or has the same contents', async () => {
    const given = sample(3, 2);
    const file = await keepCheckpoint(folder, given, 1, { record: 'demo' });
    const bytes = readFileSync(join(path, file));
    const outcome = (bit: number): unknown => {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] ^= 1 << (bit & 7);
      try {
        return readCheckpoint(changed);
      } catch (error) {
        return (error as Error).message;
      }
    };
    const outcomes = Array.from({ length: 8 * bytes.length }, (_, bit) => outcome(bit));
    const refused = outcomes.filter((found) => /^(checkpoint|safetensors): /.test(String(found)));
    for (const read of outcomes.filter((found) => typeof found === 'object')) {
      expect(read).toStrictEqual(given);
    }
    expect(outcomes.filter((found) => typeof found === 'string')).toEqual(refused);
    // Only flips that turn the spaces at the end of the header into other white space are not detected.
    expect(refused.length).toBeGreaterThan(8 * bytes.length - 8 * 4);
  });

  test('truncated at any point is refused', async () => {
    const file = await keepCheckpoint(folder, sample(1), 1);
    const bytes = readFileSync(join(path, file));
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => readCheckpoint(bytes.subarray(0, length))).toThrow(/^safetensors: /);
    }
  });

  test('names its tensors by part and path, and describes itself in the metadata', async () => {
    const file = await keepCheckpoint(folder, sample(2, 5), 1, { record: 'demo', seed: '0' });
    const { tensors, metadata } = readSafetensors(join(path, file));
    expect([...tensors.keys()].toSorted()).toEqual([
      'extra/steps',
      'network/linear/weight',
      'totals/correct',
      'totals/count',
      'totals/firstBadStep',
      'totals/loss',
      'velocity/linear/weight',
    ]);
    expect(metadata).toEqual({
      format: 'cifar10-fast checkpoint 1',
      record: 'demo',
      seed: '0',
      epoch: '2',
      batches: '5',
      timeSec: '0.25',
      totalSec: '3',
      rows: JSON.stringify(rowsTo(2)),
      config: 'c'.repeat(64),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  test('with NaN or infinite numbers is not written', async () => {
    for (const [value, said] of [
      [NaN, 'NaN'],
      [-Infinity, '-Infinity'],
    ] as const) {
      const good = sample(4);
      const network = { 'a/b': { shape: [3], data: Float32Array.of(1, 2, value) } };
      const bad = {
        ...good,
        snapshot: { ...good.snapshot, learnt: { ...good.snapshot.learnt, network } },
      };
      await expect(keepCheckpoint(folder, bad, 1)).rejects.toMatchObject({
        name: 'DivergedError',
        epoch: 4,
        message: `train: element 2 of "network/a/b" is ${said} after epoch 4. Lower the learning rate, or start with a lower one.`,
      });
    }
    expect(readdirSync(path)).toEqual([]);
  });

  test('of another format or without its metadata is refused', () => {
    const bytes = (metadata: Record<string, string>): Buffer => writeSafetensors([], metadata);
    expect(() => readCheckpoint(bytes({}))).toThrow(
      'checkpoint: its format is undefined, expected "cifar10-fast checkpoint 1". Use another checkpoint, or another copy of this one.',
    );
    expect(() => readCheckpoint(bytes({ format: 'cifar10-fast checkpoint 1' }))).toThrow(
      /^checkpoint: its contents do not match its SHA-256/,
    );
  });
});

/** A checkpoint with changed contents and a matching SHA-256. */
function forged(
  change: (metadata: Record<string, string>, tensors: Map<string, StoredTensor>) => void,
  of = sample(2, 3),
): Promise<Buffer> {
  return keepCheckpoint(folder, of, 1).then((file) => {
    const { tensors, metadata } = readSafetensors(join(path, file));
    const { sha256: _, ...rest } = metadata;
    const copy = new Map(tensors);
    change(rest, copy);
    return writeSafetensors(copy, { ...rest, sha256: fingerprint(copy, rest) });
  });
}

describe('wrong contents with a matching SHA-256', () => {
  const nan: StoredTensor = { dtype: 'F32', shape: [2, 2], data: Float32Array.of(1, NaN, 3, 4) };

  test.each<[string, Parameters<typeof forged>[0], string]>([
    [
      'NaN in a weight',
      (_, tensors) => tensors.set('network/linear/weight', nan),
      'checkpoint: element 1 of "network/linear/weight" is NaN. Use another checkpoint',
    ],
    [
      'NaN in the velocity',
      (_, tensors) => tensors.set('velocity/linear/weight', nan),
      'element 1 of "velocity/linear/weight" is NaN',
    ],
    [
      'an epoch that is text',
      (metadata) => (metadata['epoch'] = '"2"'),
      '"epoch" in its metadata is invalid; expected an integer from 0',
    ],
    ['a negative epoch', (metadata) => (metadata['epoch'] = '-1'), '"epoch" in its metadata'],
    [
      'another epoch than its rows',
      (metadata) => (metadata['epoch'] = '3'),
      'it has 2 rows of epochs, expected those of epoch 1 to 3',
    ],
    ['half a batch', (metadata) => (metadata['batches'] = '0.5'), '"batches" in its metadata'],
    ['seconds below 0', (metadata) => (metadata['totalSec'] = '-1'), '"totalSec" in its metadata'],
    ['seconds that are null', (metadata) => (metadata['timeSec'] = 'null'), '"timeSec"'],
    ['rows that are no list', (metadata) => (metadata['rows'] = '{}'), 'expected a list of rows'],
    [
      'an accuracy that is text',
      (metadata) => (metadata['rows'] = metadata['rows'].replace('"acc":0.5', '"acc":"high"')),
      '"rows.0.train.acc" in its metadata is invalid; expected a number from 0 to 1',
    ],
    [
      'rows out of order',
      (metadata) => (metadata['rows'] = JSON.stringify(rowsTo(2).toReversed())),
      'it has 2 rows of epochs, expected those of epoch 1 to 2',
    ],
    [
      'no sums over the unfinished epoch',
      (_, tensors) => tensors.delete('totals/count'),
      '"totals/count" is not a float32 scalar',
    ],
    ['text that is not JSON', (metadata) => (metadata['rows'] = '[1,'), '"rows" in its metadata'],
  ])('%s', async (_, change, message) => {
    const bytes = await forged(change);
    expect(() => readCheckpoint(bytes)).toThrow(RunError);
    expect(() => readCheckpoint(bytes)).toThrow(message);
  });

  test('the name of another epoch', async () => {
    await keepCheckpoint(folder, sample(2), 'all');
    await keepCheckpoint(folder, sample(3), 'all');
    copyFileSync(join(path, 'checkpoint-2.safetensors'), join(path, 'checkpoint-99.safetensors'));
    // It does not count as one of the kept checkpoints.
    await keepCheckpoint(folder, sample(4), 2);
    expect(readdirSync(path).toSorted()).toEqual([
      'checkpoint-3.safetensors',
      'checkpoint-4.safetensors',
      'checkpoint-99.safetensors',
    ]);
    const found = await lastCheckpoint(folder);
    expect(found.name).toBe('checkpoint-4.safetensors');
    expect(found.damaged).toEqual([
      {
        name: 'checkpoint-99.safetensors',
        reason:
          'checkpoint: its contents belong to checkpoint-2.safetensors. Use another checkpoint, or another copy of this one.',
      },
    ]);
  });
});

describe('a folder of checkpoints', () => {
  const file = (epoch: number, batches = 0): string =>
    `checkpoint-${epoch}${batches === 0 ? '' : `-${batches}`}.safetensors`;

  test('keeps the last checkpoints, in numerical order, and all other files', async () => {
    writeFileSync(join(path, 'checkpoint-99.safetensors.old'), '');
    writeFileSync(join(path, 'run.json'), '');
    const others = ['checkpoint-99.safetensors.old', 'run.json'];
    for (const [epoch, batches] of [
      [8, 0],
      [9, 0],
      [9, 3],
      [9, 12],
      [10, 0],
    ] as const) {
      expect(await keepCheckpoint(folder, sample(epoch, batches), 'all')).toBe(
        file(epoch, batches),
      );
    }
    expect(readdirSync(path)).toHaveLength(5 + others.length);
    await keepCheckpoint(folder, sample(11), 3);
    expect(readdirSync(path).toSorted()).toEqual(
      [...others, file(9, 12), file(10), file(11)].toSorted(),
    );
    await keepCheckpoint(folder, sample(12), 1);
    expect(readdirSync(path).toSorted()).toEqual([...others, file(12)].toSorted());
    expect(readdirSync(path).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('resumes from the newest intact checkpoint and renames newer, damaged ones', async () => {
    expect(await lastCheckpoint(folder)).toEqual({ damaged: [] });
    for (const epoch of [9, 10, 11]) await keepCheckpoint(folder, sample(epoch), 'all');
    expect(await lastCheckpoint(folder)).toEqual({
      checkpoint: sample(11),
      name: file(11),
      damaged: [],
    });
    writeFileSync(join(path, file(11)), '');
    const bytes = readFileSync(join(path, file(10)));
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(join(path, file(10)), bytes);
    const found = await lastCheckpoint(folder);
    expect(found).toMatchObject({ checkpoint: sample(9), name: file(9) });
    expect(found.damaged.map(({ name }) => name)).toEqual([file(11), file(10)]);
    expect(found.damaged[0].reason).toMatch(/too few for its header/);
    expect(found.damaged[1].reason).toMatch(/SHA-256/);
    expect(readdirSync(path).toSorted()).toEqual(
      [file(9), `${file(10)}.damaged`, `${file(11)}.damaged`].toSorted(),
    );
    expect(await lastCheckpoint(folder)).toMatchObject({ name: file(9), damaged: [] });
  });

  test('without an intact checkpoint is an error, and is not changed', async () => {
    writeFileSync(join(path, file(1)), 'x');
    writeFileSync(join(path, file(2)), 'y');
    await expect(lastCheckpoint(folder)).rejects.toThrow(RunError);
    await expect(lastCheckpoint(folder)).rejects.toThrow(
      /no intact checkpoint in .*: checkpoint-2\.safetensors \(.*\); checkpoint-1\.safetensors \(.*\)\. Remove them/,
    );
    expect(readdirSync(path).toSorted()).toEqual([file(1), file(2)]);
  });
});
