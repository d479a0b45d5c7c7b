import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readHardware } from '../../src/engine/hardware';

const native = resolve(__dirname, '../../native');
const folder = mkdtempSync(join(tmpdir(), 'cifar10-fast-amx-'));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The transforms around the products need AVX-512. */
const hasTransforms = readHardware().cpuFlags.includes('avx512_bf16');

test.skipIf(!hasTransforms)(
  'the AMX kernels on emulated tiles equal those of AVX-512 in all passes',
  () => {
    const program = join(folder, 'amx');
    const sources = ['winograd-bf16-convolve', 'winograd-bf16-filter', 'parallel', 'amx'];
    const compiled = spawnSync(
      process.env['CXX'] ?? 'c++',
      ['-std=c++17', '-O1', '-w', '-pthread', `-I${native}`, '-include']
        .concat(join(__dirname, 'emulated-tiles.h'), join(__dirname, 'amx.cc'))
        .concat(
          sources.map((name) => join(native, `${name}.cc`)),
          ['-o', program],
        ),
      { encoding: 'utf8' },
    );
    expect(compiled.stderr).toBe('');
    const { stdout, status } = spawnSync(program, { encoding: 'utf8' });
    expect(status).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(12 * 2 * 3);
    // Sums are in another order, so some bf16 results round to a neighbour.
    expect(lines.filter((line) => !(Number(line.split(': ')[1]) < 3e-4))).toEqual([]);
  },
  120_000,
);
