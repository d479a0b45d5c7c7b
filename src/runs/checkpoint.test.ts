import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunError, TrainError } from '../base/errors';
import { filled, sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { readSafetensors, writeSafetensors } from '../data/safetensors';
import type { EpochRow, Snapshot } from '../train/training';
import { keepCheckpoint, lastCheckpoint, readCheckpoint } from './checkpoint';
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

/** Records as JSON and literals make them. */
const plain = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });
const seconds = fc.double({ min: 0, max: 1e6, noNaN: true });
const share = fc.double({ min: 0, max: 1, noNaN: true });
// JSON has no negative zero.
const loss = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
const figures = plain({ time: seconds, loss, acc: share });
const row: fc.Arbitrary<EpochRow> = plain({
  epoch: fc.nat(),
  lr: share,
  train: figures,
  valid: figures,
  'total time': seconds,
});
const float = fc.float({ noNaN: true, noDefaultInfinity: true });
/** Every type that a session holds. */
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
      epoch: fc.nat(1000),
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
const checkpoint: fc.Arbitrary<Checkpoint> = plain({
  snapshot,
  rows: fc.array(row, { maxLength: 3 }),
  config: fc.stringMatching(/^[0-9a-f]{64}$/),
});

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
  rows: [],
  config: 'c'.repeat(64),
});

describe('a checkpoint', () => {
  test('comes back bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(checkpoint, async (given) => {
        const file = await keepCheckpoint(folder, given, 1);
        expect(readCheckpoint(join(path, file))).toStrictEqual(given);
        expect(readCheckpoint(readFileSync(join(path, file)))).toStrictEqual(given);
      }),
      { numRuns: 60 },
    );
  });

  test('with any bit changed is refused, or says the same', async () => {
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
    const refused = outcomes.filter((said) => /^(checkpoint|safetensors): /.test(String(said)));
    for (const read of outcomes.filter((said) => typeof said === 'object')) {
      expect(read).toStrictEqual(given);
    }
    expect(outcomes.filter((said) => typeof said === 'string')).toEqual(refused);
    // What may change are spaces that end the header, to other white space, and nothing else.
    expect(refused.length).toBeGreaterThan(8 * bytes.length - 8 * 4);
  });

  test('that is cut off anywhere is refused', async () => {
    const file = await keepCheckpoint(folder, sample(1), 1);
    const bytes = readFileSync(join(path, file));
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => readCheckpoint(bytes.subarray(0, length))).toThrow(/^safetensors: /);
    }
  });

  test('names its tensors by part and path, and says in words what it is', async () => {
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
      rows: '[]',
      config: 'c'.repeat(64),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  test('is not written of numbers that are not finite', async () => {
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
      await expect(keepCheckpoint(folder, bad, 1)).rejects.toThrow(
        new TrainError(
          `train: number 2 of "network/a/b" is ${said} after epoch 4. Lower the learning rate, or start it lower.`,
        ),
      );
    }
    expect(readdirSync(path)).toEqual([]);
  });

  test('of another format or without its text is refused', () => {
    const bytes = (metadata: Record<string, string>): Buffer => writeSafetensors([], metadata);
    expect(() => readCheckpoint(bytes({}))).toThrow(
      'checkpoint: its format is undefined, expected "cifar10-fast checkpoint 1". Take another one, or another copy.',
    );
    expect(() => readCheckpoint(bytes({ format: 'cifar10-fast checkpoint 1' }))).toThrow(
      /^checkpoint: what it holds does not have the SHA-256/,
    );
  });
});

describe('a folder of checkpoints', () => {
  const file = (epoch: number, batches = 0): string =>
    `checkpoint-${epoch}${batches === 0 ? '' : `-${batches}`}.safetensors`;

  test('keeps the last ones, counted as numbers, and whatever else is there', async () => {
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

  test('gives the last that is whole, and puts newer ones out of the way', async () => {
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

  test('of which none is whole is an error, and left as it is', async () => {
    writeFileSync(join(path, file(1)), 'x');
    writeFileSync(join(path, file(2)), 'y');
    await expect(lastCheckpoint(folder)).rejects.toThrow(RunError);
    await expect(lastCheckpoint(folder)).rejects.toThrow(
      /no checkpoint in .* is whole: checkpoint-2\.safetensors \(.*\); checkpoint-1\.safetensors \(.*\)\. Remove them/,
    );
    expect(readdirSync(path).toSorted()).toEqual([file(1), file(2)]);
  });
});
