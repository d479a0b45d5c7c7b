import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import type * as files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { RunError } from '../base/errors';
import { deleteRun, storedRuns } from './stored';

// Root can read every folder, so that permissions alone cannot make one unreadable.
vi.mock('node:fs/promises', async (load) => {
  const real = await load<typeof files>();
  const readdir = (path: string, ...options: []): Promise<string[]> =>
    path.endsWith('/locked')
      ? Promise.reject(new Error(`EACCES: permission denied, scandir '${path}'`))
      : real.readdir(path, ...options);
  return { ...real, readdir };
});

const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-unreadable-'));
const fixture = resolve(__dirname, '../../test/fixtures/runs/first-version');

afterAll(() => rmSync(root, { recursive: true, force: true }));

test('a folder that cannot be read is listed as damaged beside the others, and not deleted', async () => {
  for (const name of ['a', 'locked']) cpSync(fixture, join(root, name), { recursive: true });
  const [a, locked, ...more] = await storedRuns(root);
  expect([a.status, more]).toEqual(['finished', []]);
  const problem = `runs: ${join(root, 'locked')} cannot be read: EACCES: permission denied.`;
  expect(locked).toMatchObject({ folder: 'locked', status: 'damaged', bytes: 0, problem });
  await expect(deleteRun(join(root, 'locked'), { isUnfinishedToo: false })).rejects.toThrow(
    RunError,
  );
});
