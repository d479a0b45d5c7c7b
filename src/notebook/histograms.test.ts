import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import { histograms } from './histograms';
import { series } from './theme';

interface Bar {
  readonly from: number;
  readonly to: number;
  readonly density: number;
}

describe('histograms', () => {
  const options = { domain: [0, 4], bins: 4, title: 'Numbers' } as const;

  test('heights are shares divided by width; numbers outside the domain count, and are not shown', async () => {
    const { bundle } = await histograms({ a: [0.5, 0.6, 3.5, 9], b: Float64Array.of(2) }, options);
    const { concat } = bundle['application/vnd.vegalite.v5+json'] as {
      readonly concat: readonly { readonly data: { readonly values: readonly Bar[] } }[];
    };
    expect(concat.map(({ data }) => data.values)).toEqual([
      [
        { from: 0, to: 1, density: 0.5 },
        { from: 3, to: 4, density: 0.25 },
      ],
      [{ from: 2, to: 3, density: 1 }],
    ]);
    expect(bundle['text/plain']).toBe('Numbers: a, largest 9.00; b, largest 2.00');
    const { data: pixels } = PNG.sync.read(bundle['image/png'] as Buffer);
    const wanted = Number.parseInt(series[0].slice(1), 16);
    let count = 0;
    for (let i = 0; i < pixels.length; i += 4) if (pixels.readUIntBE(i, 3) === wanted) count++;
    expect(count).toBeGreaterThan(1000);
  });

  test('the upper end of the domain belongs to the last bar', async () => {
    const { bundle } = await histograms(
      { confidence: [1, 1, 0, 0.5] },
      { ...options, domain: [0, 1] },
    );
    const { concat } = bundle['application/vnd.vegalite.v5+json'] as {
      readonly concat: readonly { readonly data: { readonly values: readonly Bar[] } }[];
    };
    expect(concat[0].data.values).toEqual([
      { from: 0, to: 0.25, density: 1 },
      { from: 0.5, to: 0.75, density: 1 },
      { from: 0.75, to: 1, density: 2 },
    ]);
  });

  test('takes the 2.4 million values of a large kernel, and NaN', async () => {
    const values = new Float32Array(2_400_000).fill(0.5);
    [values[5], values[6]] = [2.5, NaN];
    const { bundle } = await histograms({ a: values, b: [NaN] }, options);
    expect(bundle['text/plain']).toBe('Numbers: a, largest 2.50; b, no number');
  });

  test('rejects an empty set of panels, and a panel without numbers', () => {
    expect(() => histograms({}, options)).toThrow(NotebookError);
    expect(() => histograms({ a: [1], b: [] }, options)).toThrow(/"b"/);
  });
});
