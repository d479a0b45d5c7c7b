import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from 'tar';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { DataError } from '../../src/base/errors';
import { loadCifar10, verifyCifar10 } from '../../src/data/cifar10';
import { makeFakeSet } from './fake';

const home = mkdtempSync(join(tmpdir(), 'hostile-'));
const made = join(home, 'made');
const { edition } = makeFakeSet(made);
let folder = '';
let count = 0;

beforeEach(() => {
  folder = join(home, `case-${count++}`);
  mkdirSync(folder);
});
afterAll(() => rmSync(home, { recursive: true }));

async function refusal(dataDir: string): Promise<string> {
  const error: unknown = await loadCifar10({ dataDir, edition }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as Error).message;
}

/** An archive of a part of the set after `change`. */
function archived(part: string, change: (folder: string) => void): string {
  cpSync(join(made, part), join(folder, part), { recursive: true });
  change(join(folder, part));
  const file = join(folder, 'archive.tgz');
  create({ file, cwd: folder, gzip: true, sync: true }, [part]);
  return file;
}

describe('refuses files that are not regular', () => {
  test.each(['data_batch_2.bin', 'test_batch.bin'])('a named pipe as %s', async (name) => {
    cpSync(join(made, 'cifar-10-batches-bin'), folder, { recursive: true });
    rmSync(join(folder, name));
    execFileSync('mkfifo', [join(folder, name)]);
    expect(await refusal(folder)).toContain(`${folder} lacks ${name}.`);
  });

  test('a named pipe in the cache', async () => {
    const cache = join(folder, 'cifar-10-batches-bin');
    cpSync(join(made, 'cifar-10-batches-bin'), cache, { recursive: true });
    rmSync(join(cache, 'data_batch_1.bin'));
    execFileSync('mkfifo', [join(cache, 'data_batch_1.bin')]);
    const [check] = await verifyCifar10({ cacheDir: folder, edition });
    expect(check.state).toBe('bad');
    expect(check.problem).toContain('data_batch_1.bin: it is a named pipe, not a regular file');
  });

  test('--data-dir itself', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    expect(await refusal(join(folder, 'pipe'))).toBe(
      `cifar10: ${join(folder, 'pipe')} is a named pipe. Point --data-dir at a folder or an archive.`,
    );
    expect(await refusal('/dev/null')).toContain('/dev/null is a device.');
  });
});

describe('refuses files larger than the format allows', () => {
  test('a member of an archive, by its header', async () => {
    const file = archived('cifar-10-batches-bin', (part) =>
      truncateSync(join(part, 'data_batch_3.bin'), 50_000_000),
    );
    expect(await refusal(file)).toContain(
      `${file} cannot be unpacked (cifar-10-batches-bin/data_batch_3.bin has 50000000 bytes; at most 18438 are read)`,
    );
  });

  test('a file of the binary version', async () => {
    cpSync(join(made, 'cifar-10-batches-bin'), folder, { recursive: true });
    truncateSync(join(folder, 'data_batch_1.bin'), 2 ** 40);
    expect(await refusal(folder)).toContain(
      'data_batch_1.bin: it has 1,099,511,627,776 bytes; at most 18,438 are read',
    );
  });

  test('a file of the Python version', async () => {
    cpSync(join(made, 'cifar-10-batches-py'), folder, { recursive: true });
    truncateSync(join(folder, 'data_batch_1'), 2 ** 40);
    expect(await refusal(folder)).toContain('data_batch_1: it has 1,099,511,627,776 bytes');
  });
});

test('a link in an archive is not a file of CIFAR-10', async () => {
  const file = archived('cifar-10-batches-bin', (part) => {
    rmSync(join(part, 'test_batch.bin'));
    symlinkSync('/etc/hostname', join(part, 'test_batch.bin'));
  });
  expect(await refusal(file)).toContain(`${file} contains no test_batch`);
});

test.each([
  ['is not JSON', '[1, 2', 'train_lables.json is not JSON ('],
  ['is not a list', '{"length": 15}', 'train_lables.json is not a list of 15 numbers from 0 to 9.'],
  ['is null', 'null', 'train_lables.json is not a list of 15 numbers from 0 to 9.'],
  ['is too short', '[1,2,3]', 'train_lables.json is not a list of 15 numbers from 0 to 9.'],
  [
    'has a number beyond 9',
    JSON.stringify(Array(15).fill(256)),
    'train_lables.json is not a list of 15 numbers from 0 to 9.',
  ],
  [
    'has no numbers',
    `[${'[],'.repeat(14)}[]]`,
    'train_lables.json is not a list of 15 numbers from 0 to 9.',
  ],
  [
    'is too large',
    JSON.stringify(Array(5000).fill(1)),
    'package/train_lables.json has 10001 bytes; at most 1264 are read',
  ],
])('the list of labels of the npm package %s', async (_, content, message) => {
  const file = archived('package', (part) =>
    writeFileSync(join(part, 'train_lables.json'), content),
  );
  expect(await refusal(file)).toContain(message);
});

test('the list of labels of the npm package is missing', async () => {
  const file = archived('package', (part) => rmSync(join(part, 'test_lables.json')));
  expect(await refusal(file)).toBe(`cifar10: ${file} contains no test_lables.json.`);
});
