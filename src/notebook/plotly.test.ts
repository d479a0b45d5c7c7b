import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import { NotebookError } from '../base/errors';
import { chart } from './chart';
import { plotly } from './plotly';

const still = (): ReturnType<typeof chart> =>
  chart([{ a: 1, b: 2 }], { mark: 'point', x: 'a', y: 'b' });

describe('plotly', () => {
  test('is interactive, with the picture and the words of its still', async () => {
    const trace = { type: 'surface', z: [Float32Array.of(1 / 3, NaN), [2, 3]], name: 'loss' };
    const figure = await plotly([trace], { title: { text: 'Loss' }, height: 300 }, still());
    const expected = await still();
    const [small, large] = [figure, expected].map(({ bundle }) =>
      PNG.sync.read(bundle['image/png'] as Buffer),
    );
    expect([small.width, small.height]).toEqual([large.width >> 1, large.height >> 1]);
    const middle = (picture: PNG, x: number, y: number, step: number): number[] => {
      const at = (dx: number, dy: number): number[] => {
        const from = 4 * (picture.width * (y * step + dy) + x * step + dx);
        return [...picture.data.subarray(from, from + 4)];
      };
      const corners = step === 1 ? [at(0, 0)] : [at(0, 0), at(1, 0), at(0, 1), at(1, 1)];
      return [0, 1, 2, 3].map((i) =>
        Math.round(corners.reduce((sum, c) => sum + c[i], 0) / corners.length),
      );
    };
    for (const [x, y] of [
      [0, 0],
      [40, 100],
      [63, 57],
      [150, 290],
    ]) {
      expect(middle(small, x, y, 1)).toEqual(middle(large, x, y, 2));
    }
    expect(figure.bundle['text/plain']).toBe(expected.bundle['text/plain']);
    const stored = JSON.parse(
      JSON.stringify(figure.bundle['application/vnd.plotly.v1+json']),
    ) as object;
    expect(stored).toMatchObject({
      data: [
        {
          type: 'surface',
          z: [
            [0.333333, null],
            [2, 3],
          ],
          name: 'loss',
        },
      ],
      layout: {
        title: { text: 'Loss' },
        height: 300,
        template: { layout: { paper_bgcolor: '#ffffff' } },
      },
    });
  });

  test('refuses a figure that would be empty somewhere', async () => {
    await expect(plotly([], {}, still())).rejects.toThrow(NotebookError);
    const words = { bundle: { 'text/plain': 'words' } };
    await expect(plotly([{ type: 'surface' }], {}, words)).rejects.toThrow(/no picture/);
  });
});
