import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeFolders } from './make-folders';

const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-folders-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('creates parents, and leaves a folder that exists', () => {
  const path = join(scratch, 'a/b/c');
  makeFolders(path);
  makeFolders(path);
  makeFolders(join(path, '../d'));
  expect(statSync(path).isDirectory()).toBe(true);
  expect(existsSync(join(scratch, 'a/b/d'))).toBe(true);
});

test('refuses a file, a path through a file and a link to nothing', () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  symlinkSync(join(scratch, 'nothing'), join(scratch, 'link'));
  expect(() => makeFolders(file)).toThrow(/EEXIST/);
  expect(() => makeFolders(join(file, 'below'))).toThrow(/ENOTDIR/);
  expect(() => makeFolders(join(scratch, 'link'))).toThrow(/EEXIST/);
});

test.runIf(process.platform === 'linux')('ends where a folder takes no entries', () => {
  expect(() => makeFolders('/proc/none/runs')).toThrow(/ENOENT/);
});
