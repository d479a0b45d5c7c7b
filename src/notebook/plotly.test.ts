import { readFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import { chart } from './chart';
import { figureOf } from '../../test/plotly-figure';
import type { Figure } from './figure';
import { loadPlotly, plotly } from './plotly';
import type { PlotlyTrace } from './plotly';

const still = (): ReturnType<typeof chart> =>
  chart([{ a: 1, b: 2 }], { mark: 'point', x: 'a', y: 'b' });

const htmlOf = ({ bundle }: Figure): string => bundle['text/html'] ?? '';

describe('plotly', () => {
  test('passes the figure to the page, and keeps the picture and the text of its still', async () => {
    const z = [Float32Array.of(1 / 3, NaN), [2, 3]];
    const trace: PlotlyTrace = { type: 'surface', z: z as number[][], name: '</script>' };
    const figure = await plotly([trace], { title: { text: 'Loss' }, height: 300 }, still());
    const expected = await still();

    expect(figure.bundle['image/png']).toEqual(expected.bundle['image/png']);
    expect(figure.bundle['text/plain']).toBe(expected.bundle['text/plain']);
    expect(figure.metadata).toEqual(expected.metadata);

    const found = figureOf(figure);
    expect(htmlOf(figure)).toContain(`<div data-plotly="${found.id}"><img alt=`);
    expect(found).toMatchObject({
      data: [
        {
          type: 'surface',
          z: [
            [0.333333, null],
            [2, 3],
          ],
          name: '</script>',
        },
      ],
      layout: {
        title: { text: 'Loss' },
        height: 300,
        template: { layout: { paper_bgcolor: '#ffffff' } },
      },
    });
  });

  test('gives different figures different boxes', async () => {
    const ids = [1, 2].map(
      async (z) => figureOf(await plotly([{ type: 'surface', z: [[z]] }], {}, still())).id,
    );
    expect(new Set(await Promise.all(ids)).size).toBe(2);
  });

  test('refuses a figure without a trace or without a picture', async () => {
    await expect(plotly([], {}, still())).rejects.toThrow(NotebookError);
    const words = { bundle: { 'text/plain': 'words' } };
    await expect(plotly([{ type: 'surface' }], {}, words)).rejects.toThrow(/no image\/png/);
  });
});

test('loadPlotly includes all of plotly.js-dist in a self-contained script', async () => {
  const html = htmlOf(await loadPlotly());
  const [, script = ''] = /<script>(.*)<\/script>$/s.exec(html) ?? [];
  expect(() => new Script(script)).not.toThrow();
  const [, packed = ''] = /\('([\w+/=]+)'\)$/.exec(script) ?? [];
  const library = readFileSync(require.resolve('plotly.js-dist'));
  expect(gunzipSync(Buffer.from(packed, 'base64')).equals(library)).toBe(true);
  expect(html.length).toBeLessThan(3_000_000);
  expect(html).not.toMatch(/src="http/);
});
