import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
}

const root = resolve(__dirname, '..');
const read = (name: string): unknown => JSON.parse(readFileSync(resolve(root, name), 'utf8'));
const { packages } = read('package-lock.json') as { packages: Readonly<Record<string, Entry>> };
const entries = Object.entries(packages).filter(([path, { link }]) => path !== '' && !link);

describe('package-lock.json', () => {
  test('has the SHA-512 of every package, also of those for other platforms', () => {
    expect(entries.length).toBeGreaterThan(300);
    const unlocked = entries.filter(([, { integrity }]) => !/^sha512-.{80,}/.test(integrity ?? ''));
    expect(unlocked.map(([path]) => path)).toEqual([]);
  });

  test('names no package source, so that the user’s own mirror is used', () => {
    expect(entries.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  });

  test('package.json has exact versions', () => {
    const manifest = read('package.json') as Record<string, Readonly<Record<string, string>>>;
    const direct = { ...manifest.dependencies, ...manifest.devDependencies };
    const inexact = Object.entries(direct).filter(
      ([, version]) => !/^(npm:[\w-]+@)?\d+\.\d+\.\d+$/.test(version),
    );
    expect(inexact).toEqual([]);
  });
});
