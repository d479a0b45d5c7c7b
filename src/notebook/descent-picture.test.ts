import { View, parse } from 'vega';
import { compile } from 'vega-lite';
import { describe, expect, test } from 'vitest';
import { descentPicture } from './descent-picture';

interface Step {
  readonly k?: number;
  readonly angle?: number;
  readonly x: number;
}

/** The iterates that the picture shows with its slider at a rate, as a browser computes them. */
async function iterates(view: View, names: readonly string[], rate: number): Promise<number[]> {
  await view.signal('rate', rate).runAsync();
  const found = names
    .map((name) => view.data(name) as readonly Step[])
    .find((rows) => rows.some(({ k, angle }) => k === 0 && angle !== undefined));
  return (found ?? []).map(({ x }) => x);
}

describe('descentPicture', () => {
  test('its slider moves the steps, up to the first one outside the picture', async () => {
    const { bundle, metadata } = await descentPicture();
    expect(Object.keys(bundle)).toEqual([
      'application/vnd.vegalite.v5+json',
      'image/png',
      'text/plain',
    ]);
    expect(metadata).toHaveProperty('image/png');
    expect(bundle['text/plain']).toContain('each step multiplies x by -1.20');
    const spec = structuredClone(bundle['application/vnd.vegalite.v5+json']) as {
      readonly params: readonly object[];
    };
    expect(spec.params).toMatchObject([
      { name: 'rate', value: 2.2, bind: { input: 'range', min: 1.8, max: 2.5, step: 0.05 } },
    ]);
    const compiled = compile(spec as unknown as Parameters<typeof compile>[0]).spec;
    const view = new View(parse(compiled), { renderer: 'none' });
    const names = (compiled.data ?? []).map(({ name }) => name);
    for (const [rate, count] of [
      [1.8, 21],
      [2, 21],
      [2.2, 11],
      [2.5, 6],
    ] as const) {
      const found = await iterates(view, names, rate);
      expect(found).toHaveLength(count);
      for (const [k, x] of found.entries()) expect(x).toBeCloseTo(2 * (1 - rate) ** k, 9);
      const [before, last] = found.slice(-2).map(Math.abs);
      expect(before).toBeLessThanOrEqual(11);
      expect(last > 11).toBe(count < 21);
    }
    view.finalize();
  });
});
