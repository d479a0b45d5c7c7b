import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readHardware } from '../../src/engine/hardware';
import { runProgram } from './program';

/** The transforms around the products need AVX-512. */
const hasTransforms = readHardware().cpuFlags.includes('avx512_bf16');

test.skipIf(!hasTransforms)(
  'the AMX kernels on emulated tiles equal those of AVX-512 in all passes',
  () => {
    const sources = ['winograd-bf16-convolve', 'winograd-bf16-filter', 'parallel', 'amx'];
    const lines = runProgram('amx', sources, ['-include', join(__dirname, 'emulated-tiles.h')]);
    expect(lines).toHaveLength(12 * 2 * 3);
    // Sums are in another order, so some bf16 results round to a neighbour.
    expect(lines.filter((line) => !(Number(line.split(': ')[1]) < 3e-4))).toEqual([]);
  },
  120_000,
);
