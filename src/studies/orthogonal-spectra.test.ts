import { expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { orthogonalSpectra } from './orthogonal-spectra';

test('every iteration applies its polynomial to the singular values, which approach 1', async () => {
  const [a, b, c] = [3.4576, -4.7391, 2.0843];
  const data = createRng(1, 'kernel').fillUniform(new Float32Array(3 * 3 * 4 * 16), -1, 1);
  const kernel = { shape: [3, 3, 4, 16], data };
  const spectra = await orthogonalSpectra(kernel, { iterations: 3, coefficients: [a, b, c] });
  expect(spectra.map(({ iterations }) => iterations)).toEqual([0, 1, 2, 3]);
  const norm = Math.sqrt(spectra[0].values.reduce((sum, value) => sum + value ** 2, 0));
  expect(norm).toBeCloseTo(1, 4);
  for (const [index, { values }] of spectra.slice(1).entries()) {
    const mapped = [...spectra[index].values].map((s) => a * s + b * s ** 3 + c * s ** 5);
    const expected = mapped.toSorted((x, y) => y - x);
    for (const [place, value] of values.entries()) expect(value).toBeCloseTo(expected[place], 3);
  }
  const last = spectra[3].values;
  expect(Math.min(...last)).toBeGreaterThan(0.5);
  expect(Math.max(...last)).toBeLessThan(1.4);
});
