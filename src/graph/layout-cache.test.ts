import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepLayout, readLayout } from './layout-cache';
import type { LayoutKey } from './layout-cache';
import { svg } from './svg';

const key: LayoutKey = ['digraph { a -> b }', 'svg', 'dot'];
const before = process.env['CIFAR10_FAST_CACHE'];
let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'cifar10-fast-layouts-'));
  process.env['CIFAR10_FAST_CACHE'] = cache;
});
afterEach(() => {
  rmSync(cache, { recursive: true, force: true });
  if (before === undefined) delete process.env['CIFAR10_FAST_CACHE'];
  else process.env['CIFAR10_FAST_CACHE'] = before;
});

test('a drawing is laid out once per text, format and engine', async () => {
  const first = await svg(key[0]);
  const [file] = readdirSync(join(cache, 'layouts'));
  expect(await svg(key[0])).toBe(first);
  expect(readdirSync(join(cache, 'layouts'))).toEqual([file]);
  expect(readLayout(key)).toContain('<title>a&#45;&gt;b</title>');
  for (const other of [
    ['digraph { b -> a }', 'svg', 'dot'],
    ['digraph { a -> b }', 'json', 'dot'],
    ['digraph { a -> b }', 'svg', 'nop2'],
  ] as const)
    expect(readLayout(other)).toBeUndefined();
  keepLayout(key, 'another');
  expect(readLayout(key)).toBe('another');
});

test('lays a drawing out again if its entry is damaged or cannot be written', async () => {
  const first = await svg(key[0]);
  const [file] = readdirSync(join(cache, 'layouts'));
  writeFileSync(join(cache, 'layouts', file), 'half a fi');
  expect(readLayout(key)).toBeUndefined();
  expect(await svg(key[0])).toBe(first);
  expect(readLayout(key)).toBeDefined();

  rmSync(join(cache, 'layouts'), { recursive: true });
  writeFileSync(join(cache, 'layouts'), 'a file where the folder should be');
  expect(await svg(key[0])).toBe(first);
  expect(readLayout(key)).toBeUndefined();
});
