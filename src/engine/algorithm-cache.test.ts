import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createAlgorithms } from './algorithms';
import type { AlgorithmRow, ConvShape } from './conv-algorithm';
import { loadGraphAddon } from './native';
import { loadTensorflow } from './tensorflow';

loadTensorflow();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-algorithm-cache-'));
  vi.stubEnv('CIFAR10_FAST_CACHE', folder);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const conv: ConvShape = {
  precision: 'fp32',
  images: 8,
  height: 4,
  width: 4,
  inputChannels: 32,
  outputChannels: 32,
};

const file = (): string => join(folder, 'algorithms.json');
const readFile = (): Record<string, AlgorithmRow[]> =>
  JSON.parse(readFileSync(file(), 'utf8')) as Record<string, AlgorithmRow[]>;

/** Chooses for `conv` as a new process would. */
function choose(): AlgorithmRow {
  const algorithms = createAlgorithms();
  algorithms.choose('forward', conv);
  return algorithms.rows[0];
}

const hasOwn = loadGraphAddon().convAlgorithms(0, false, [8, 4, 4, 32, 32, 4, 4]).length > 0;

describe.skipIf(!hasOwn)('the cache of algorithms', () => {
  test.each([
    ['TF_ENABLE_ONEDNN_OPTS', '0'],
    ['ONEDNN_MAX_CPU_ISA', 'AVX2'],
  ])('measures again with another %s', (name, value) => {
    vi.stubEnv(name, undefined);
    const usual = choose();
    vi.stubEnv(name, value);
    const changed = choose();
    expect(changed).not.toEqual(usual);
    expect(Object.values(readFile())).toEqual([[usual], [changed]]);
    expect(Object.keys(readFile())[1]).toContain(`${name}=${value}`);
  });

  test('measures again, and replaces the row, if other algorithms competed', () => {
    const whole = choose();
    const [machine] = Object.keys(readFile());
    const fewer = { ...whole, chosen: 'direct', candidates: whole.candidates.slice(0, 1) };
    const other = { ...fewer, pass: 'kernel-gradient' };
    writeFileSync(file(), JSON.stringify({ [machine]: [fewer, other] }));
    const again = choose();
    expect(again.candidates.length).toBe(whole.candidates.length);
    expect(readFile()).toEqual({ [machine]: [other, again] });
    expect(choose()).toEqual(again);
  });
});
