import { expect, test } from 'vitest';
import { parallelPlot } from './parallel-plot';
import { figureOf } from '../../test/plotly-figure';

const rows = [
  { rate: 0.1, momentum: 0.9, accuracy: 60 },
  { rate: 1, momentum: 0.5, accuracy: 70 },
];
const axes = [
  { field: 'rate', title: 'highest rate', scale: 'log' } as const,
  'momentum',
  'accuracy',
];

test('there is an axis per column and a line per row; logarithmic axes are labelled with values', async () => {
  const figure = await parallelPlot(rows, { axes, title: 'The search' });
  expect(figureOf(figure).data).toMatchObject([
    {
      type: 'parcoords',
      line: { color: [60, 70] },
      dimensions: [
        { label: 'highest rate', values: [-1, 0], tickvals: [-1, 0], ticktext: ['0.1', '1'] },
        { label: 'momentum', values: [0.9, 0.5] },
        { label: 'accuracy', values: [60, 70] },
      ],
    },
  ]);
  expect(figure.bundle['text/plain']).toBe(
    'The search: 2 runs over highest rate, momentum, accuracy',
  );
});

test('the title is at the top, above the names of the axes', async () => {
  const { layout } = figureOf(await parallelPlot(rows, { axes, subtitle: 'seed 0' }));
  expect(layout).toMatchObject({
    margin: { t: 120 },
    template: { layout: { title: { y: 1, yanchor: 'top' } } },
  });
});

test('another axis may determine the colours', async () => {
  const { data } = figureOf(await parallelPlot(rows, { axes, colour: 'rate' }));
  expect(data).toMatchObject([{ line: { color: [-1, 0] } }]);
});

test('errors name what cannot be drawn', () => {
  expect(() => parallelPlot(rows, { axes: ['rate'] })).toThrow('2 rows and 1 axes');
  expect(() => parallelPlot(rows, { axes, colour: 'decay' })).toThrow(
    'no axis "decay" to take the colours from. Axes are: rate, momentum, accuracy.',
  );
  expect(() => parallelPlot([{ rate: 1 }], { axes })).toThrow('"momentum" of row 0 is missing');
});
