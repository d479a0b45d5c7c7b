import { expect, test } from 'vitest';
import { placeLabels } from './labels';
import { timePlot } from './time-plot';

const run = (series: string, seed: number, timeSec: number, acc: number) => ({
  series,
  seed,
  timeSec,
  acc,
  machine: 'one machine',
});

test('a trace for each series with its runs, one for each published figure that has both numbers', () => {
  const runs = [run('a', 0, 70, 94), run('a', 1, 72, 94.2), run('b', 0, 90, 93.8)];
  const published = [
    { series: 'a', acc: 94.08, timeSec: 79 },
    { series: 'b', acc: 94.1 },
  ];
  const { data, layout, unlabelled } = timePlot(runs, published, 94);
  expect(data).toMatchObject([
    {
      name: 'a',
      x: [70, 72],
      y: [94, 94.2],
      text: ['', 'a'],
      customdata: [
        [0, 'one machine'],
        [1, 'one machine'],
      ],
    },
    { name: 'a', x: [79], y: [94.08], marker: { symbol: 'diamond-open' } },
    { name: 'b', x: [90], y: [93.8], text: ['b'] },
  ]);
  expect(layout.shapes).toMatchObject([{ y0: 94, y1: 94 }]);
  expect(layout.annotations).toMatchObject([{ text: '94 %' }]);
  expect(layout.xaxis?.type).toBeUndefined();
  expect(unlabelled).toEqual([]);
});

test('the goal is always within the plotted range', () => {
  const { layout } = timePlot([run('a', 0, 5, 20)], [], 94);
  const [low, high] = layout.yaxis?.range ?? [];
  expect(low).toBeLessThan(20);
  expect(high).toBeGreaterThan(94);
});

test('times that differ by more than a factor of 20 have a logarithmic axis', () => {
  const { layout } = timePlot([run('a', 0, 10, 94), run('b', 0, 1000, 94)], [], 94);
  expect(layout.xaxis?.type).toBe('log');
  expect((layout.xaxis?.range ?? [])[0]).toBeCloseTo(1 - 0.16, 10);
  expect(layout.xaxis?.tickvals).toEqual([10, 20, 50, 100, 200, 500, 1000]);
});

test('labels without room are left out and returned', () => {
  const runs = Array.from({ length: 12 }, (_, at) => run(`experiment ${at}`, 0, 70, 94));
  const { unlabelled } = timePlot(runs, [], 94);
  expect(unlabelled.length).toBeGreaterThanOrEqual(4);
  expect(unlabelled.length).toBeLessThan(12);
});

test('labels cover no point and no other label, and stay inside', () => {
  const area = { width: 200, height: 100 };
  const at = (x: number, y: number) => ({ x, y, text: 'name' });
  expect(placeLabels([at(100, 50)], [at(100, 50)], area)).toEqual(['top center']);
  expect(placeLabels([at(100, 3)], [at(100, 3)], area)).toEqual(['bottom center']);
  // A point above and one below leave only the sides free.
  const between = [at(100, 50), at(100, 38), at(100, 62)];
  expect(placeLabels([at(100, 50)], between, area)).toEqual(['middle right']);
  // Two labels at the same point.
  expect(placeLabels([at(100, 50), at(100, 50)], [at(100, 50)], area)).toEqual([
    'top center',
    'bottom center',
  ]);
});
