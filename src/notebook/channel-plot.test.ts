import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { channelPlot } from './channel-plot';
import type { ChannelPlotOptions } from './channel-plot';
import { ink, series } from './theme';

/** `[400,3]`; channel c has the mean c. */
function activation(seed: number): HostTensor {
  const rng = createRng(seed, 'activation');
  const data = Float32Array.from({ length: 1200 }, (_, i) => (i % 3) + rng.normal());
  return { shape: [400, 3], data };
}

const panels = { first: activation(1), second: activation(2) };

interface Row {
  readonly channel: number;
  readonly role: string;
  readonly mean: number;
  readonly from: number;
  readonly to: number;
  readonly density: string;
}

interface Panel {
  readonly title: { readonly text: string };
  readonly data: { readonly values: readonly Row[] };
}

/** The rows of each panel, with its title. */
async function rowsOf(
  options: ChannelPlotOptions,
): Promise<readonly (Row & { readonly panel: string })[]> {
  const { bundle } = await channelPlot(panels, options);
  const { concat } = bundle['application/vnd.vegalite.v5+json'] as {
    readonly concat: readonly Panel[];
  };
  return concat.flatMap(({ title: { text }, data }) =>
    data.values.map((row) => ({ ...row, panel: text })),
  );
}

/** How many pixels of a picture have a colour. */
function pixels(png: unknown, hex: string): number {
  const { data } = PNG.sync.read(png as Buffer);
  const wanted = Number.parseInt(hex.slice(1), 16);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) if (data.readUIntBE(i, 3) === wanted) count++;
  return count;
}

describe('channelPlot', () => {
  test('has a curve and a mean for each channel of each panel', async () => {
    const rows = await rowsOf({});
    expect(rows.map(({ panel, channel }) => [panel, channel])).toEqual([
      ['first', 1],
      ['first', 2],
      ['first', 3],
      ['second', 1],
      ['second', 2],
      ['second', 3],
    ]);
    for (const { channel, mean, from, to, density } of rows) {
      expect(mean).toBeCloseTo(channel - 1, 0);
      const heights = density.split(' ').map(Number);
      expect(heights).toHaveLength(48);
      const highest = heights.indexOf(Math.max(...heights));
      expect(Math.abs(from + (highest * (to - from)) / 47 - mean)).toBeLessThan(0.8);
    }
    const pooled = await rowsOf({ isPooled: true });
    expect(pooled).toHaveLength(2);
    expect(pooled[0].mean).toBeCloseTo(1, 0);
  });

  test('draws the chosen channel last, and in its own colour', async () => {
    const options = { chosen: { first: 0 }, hasExtremes: true };
    const rows = await rowsOf(options);
    expect(rows.map(({ channel, role }) => [channel, role])).toEqual([
      [2, 'other'],
      [3, 'other'],
      [1, 'chosen'],
      [1, 'other'],
      [2, 'other'],
      [3, 'other'],
    ]);
    const chosen = await channelPlot(panels, options);
    const plain = await channelPlot(panels);
    const shown = [chosen, plain].map(({ bundle }) => pixels(bundle['image/png'], series[1]));
    expect(shown[0]).toBeGreaterThan(50);
    expect(shown[1]).toBe(0);
    expect(pixels(chosen.bundle['image/png'], ink.axis)).toBeGreaterThan(50);
    expect(chosen.bundle['text/plain']).toBe(
      'Channels: densities of channels in 2 panels (first, second)',
    );
  });

  test('omits means that are far outside the domain', async () => {
    const data = Float32Array.from(panels.first.data, (value) => 1e4 + value);
    const far = { shape: [400, 3], data };
    const { bundle } = await channelPlot({ far }, { hasExtremes: true });
    const { data: pixels } = PNG.sync.read(bundle['image/png'] as Buffer);
    expect(pixels.some((value) => value < 200)).toBe(true);
  });

  test('rejects an empty set of panels, and a choice in an unknown one', () => {
    expect(() => channelPlot({})).toThrow(NotebookError);
    expect(() => channelPlot(panels, { chosen: { third: 0 } })).toThrow(/no panel "third"/);
  });
});
