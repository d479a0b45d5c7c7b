import { expect, test } from 'vitest';
import { figureOf } from '../../test/plotly-figure';
import { surfacePlot } from './surface-plot';

const rates = [0.1, 0.4, 1.6];
const rows = rates.flatMap((rate) =>
  [0.001, 0.004].map((decay) => ({ rate, decay, accuracy: 100 * rate * decay })),
);
const log = { scale: 'log' } as const;
const axes = {
  x: { field: 'rate', title: 'highest rate', ...log },
  y: { field: 'decay', ...log },
  z: 'accuracy',
};

test('a surface has a row of heights for each y, in order; grid points without a row are gaps', async () => {
  const figure = await surfacePlot(rows.slice(1).toReversed(), {
    ...axes,
    title: 'Rate and decay',
  });
  const { data, layout } = figureOf(figure);
  expect(data).toMatchObject([
    {
      type: 'surface',
      x: rates,
      y: [0.001, 0.004],
      z: [
        [null, 0.04, 0.16],
        [0.04, 0.16, 0.64],
      ],
      cmin: 0.04,
      cmax: 0.64,
    },
  ]);
  expect(layout).toMatchObject({
    title: { text: 'Rate and decay' },
    scene: {
      xaxis: { type: 'log', title: { text: 'highest rate' } },
      zaxis: { title: { text: 'accuracy' } },
    },
  });
  expect(figure.bundle['text/plain']).toBe(
    'Rate and decay: accuracy over highest rate and decay, 0.04 to 0.64',
  );
});

test('panels are scenes side by side, on one colour scale', async () => {
  const panels = ['norm', 'no norm'].flatMap((network, index) =>
    rows.map((row) => ({ ...row, network, accuracy: row.accuracy + index })),
  );
  const { data, layout } = figureOf(await surfacePlot(panels, { ...axes, panels: 'network' }));
  expect(data).toMatchObject([{ scene: 'scene' }, { scene: 'scene2', cmin: 0.01, cmax: 1.64 }]);
  expect(layout).toMatchObject({
    scene: { domain: { x: [0, 0.5] }, zaxis: { range: [0.01, 1.64] } },
    scene2: { domain: { x: [0.5, 1] } },
    annotations: [{ text: 'norm' }, { text: 'no norm' }],
  });
});

test('colours are logarithmic if the height is', async () => {
  const z = { field: 'accuracy', scale: 'log' } as const;
  const { data } = figureOf(await surfacePlot(rows, { ...axes, z }));
  expect(data).toMatchObject([
    {
      z: [
        [0.01, 0.04, 0.16],
        [0.04, 0.16, 0.64],
      ],
      cmin: -2,
    },
  ]);
});

test('errors name what cannot be drawn', () => {
  expect(() => surfacePlot([], axes)).toThrow(/no rows/);
  expect(() => surfacePlot([...rows, rows[0]], axes)).toThrow(
    'two rows have rate 0.1, decay 0.001',
  );
  expect(() => surfacePlot([{ rate: 0, decay: 1, accuracy: 1 }], axes)).toThrow(
    '"rate" of row 0 is 0, expected a number above 0, as its axis is logarithmic.',
  );
  expect(() => surfacePlot([{ rate: 1, decay: 1 }], axes)).toThrow(
    '"accuracy" of row 0 is missing',
  );
});
