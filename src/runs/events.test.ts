import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import type { EpochRow } from '../train/training';
import { openEvents } from './events';
import { openRunFolder } from './folder';
import type { RunFolder } from './folder';

/** One scalar event of TensorFlow: time, step, and a number with a tag. */
interface Scalar {
  readonly wallTime: number;
  readonly step: number;
  readonly tag: string;
  readonly value: number;
}

let path: string;
let folder: RunFolder;

beforeAll(() => {
  loadTensorflow();
});

beforeEach(async () => {
  path = mkdtempSync(join(tmpdir(), 'cifar10-fast-events-'));
  folder = await openRunFolder(path);
});

afterEach(() => {
  folder.release();
  rmSync(path, { recursive: true });
});

const byName = new Intl.Collator('en', { numeric: true });
const files = (): string[] => readdirSync(path).toSorted(byName.compare);

/** The events in the folder's files, in order. All scalar events have the same layout, so fields are read at fixed offsets. */
function read(): Scalar[] {
  return files().flatMap((name) => {
    const bytes = readFileSync(join(path, name));
    const events: Buffer[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = Number(bytes.readBigUInt64LE(at));
      events.push(bytes.subarray(at + 12, at + 12 + length));
      at += 12 + length + 4;
    }
    // The first event is the format version.
    return events.slice(1).map((event) => {
      // Time (field 1, double), step (field 2, here below 128), summary (field 5) { value { tag, simple_value (float) } }
      expect([0, 9, 11, 13, 15].map((at) => event[at])).toEqual([0x09, 0x10, 0x2a, 0x0a, 0x0a]);
      const tagEnd = event.length - 5;
      return {
        wallTime: event.readDoubleLE(1),
        step: event[10],
        tag: event.subarray(17, tagEnd).toString(),
        value: event.readFloatLE(tagEnd + 1),
      };
    });
  });
}

const row = (epoch: number): EpochRow => ({
  epoch,
  lr: epoch / 8,
  train: { time: epoch + 0.5, loss: 2 / epoch, acc: 0.25 },
  valid: { time: 0.125, loss: 3 / epoch, acc: 0.5 },
  'total time': 1.5 * epoch,
});
const rows = (count: number): EpochRow[] => Array.from({ length: count }, (_, at) => row(at + 1));

const scalarsOf = (epoch: number): [string, number][] => [
  ['loss/train', Math.fround(2 / epoch)],
  ['loss/valid', Math.fround(3 / epoch)],
  ['acc/train', 0.25],
  ['acc/valid', 0.5],
  ['lr', epoch / 8],
  ['time/train', epoch + 0.5],
  ['time/valid', 0.125],
  ['time/total', 1.5 * epoch],
];

/** Checks that each epoch occurs once, in order, with its numbers. */
function expectEpochs(count: number): void {
  const expected = rows(count).flatMap(({ epoch }) =>
    scalarsOf(epoch).map(([tag, value]) => ({ step: epoch, tag, value })),
  );
  expect(read().map(({ step, tag, value }) => ({ step, tag, value }))).toEqual(expected);
}

async function write(from: number, to: number): Promise<void> {
  const events = await openEvents(folder, rows(from), '--log-dir');
  for (let epoch = from + 1; epoch <= to; epoch++) events.append(row(epoch));
  events.close();
  events.close();
}

test('append flushes each epoch to the file, with the time of day', async () => {
  const events = await openEvents(folder, [], '--log-dir');
  expect(files()).toEqual([]);
  const before = Date.now() / 1000;
  events.append(row(1));
  expectEpochs(1);
  events.append(row(2));
  expectEpochs(2);
  events.close();
  expect(files()).toEqual([expect.stringMatching(/^events\.out\.tfevents\.\d+\..*\.v2$/)]);
  for (const { wallTime } of read()) {
    expect(wallTime).toBeGreaterThan(before - 1);
    expect(wallTime).toBeLessThan(Date.now() / 1000 + 1);
  }
});

test('epochs that will be trained again are removed; the others keep their time', async () => {
  await write(0, 4);
  const old = read();
  await write(2, 3);
  expectEpochs(3);
  expect(read().slice(0, 16)).toEqual(old.slice(0, 16));
  expect(files()).toHaveLength(2);
  await write(3, 5);
  expectEpochs(5);
  await write(1, 1);
  expectEpochs(1);
  expect(files()).toHaveLength(1);
  await write(0, 0);
  expect(files()).toEqual([]);
});

test('epochs missing from the files are added', async () => {
  await write(2, 3);
  expectEpochs(3);
  rmSync(join(path, files()[0]));
  await write(3, 3);
  expectEpochs(3);
});

test('after a kill at any point, each epoch occurs exactly once', async () => {
  await write(0, 3);
  const [name] = files();
  const bytes = readFileSync(join(path, name));
  for (let length = 0; length <= bytes.length; length += 13) {
    for (const file of files()) rmSync(join(path, file));
    writeFileSync(join(path, name), bytes.subarray(0, length));
    await write(2, 3);
    expectEpochs(3);
  }
});

test('bytes after the last whole epoch that are not an event are truncated', async () => {
  await write(0, 2);
  appendFileSync(join(path, files()[0]), Buffer.alloc(100));
  await write(2, 3);
  expectEpochs(3);
});

test('a write failure is reported like that of any file of the folder', async () => {
  const events = await openEvents(folder, [], '--log-dir');
  rmSync(path, { recursive: true });
  writeFileSync(path, '');
  expect(() => events.append(row(1))).toThrow(
    new RunError(
      `run: ${join(path, 'events.out.tfevents')} cannot be written: Not a directory. ` +
        `Point --log-dir at a writable path, or make ${path} writable.`,
    ),
  );
  events.close();
});
