import { compile } from 'vega-lite';
import { View, parse } from 'vega';
import { expect, test } from 'vitest';
import { confusionChart, stripChart } from './charts';
import { curveChart, curveDomain } from './curve-chart';
import type { ChartPoint, ChartRun, ChartSpec } from './charts';

/** Renders a chart to SVG with vega. Warnings from vega-lite fail the test. */
async function drawn(chart: ChartSpec): Promise<string> {
  const warnings: string[] = [];
  const logger: Record<string, (...texts: readonly unknown[]) => unknown> = {
    warn: (...texts) => warnings.push(texts.join(' ')),
    error: (...texts) => warnings.push(texts.join(' ')),
    info: () => undefined,
    debug: () => undefined,
    level: () => logger,
  };
  const { spec } = compile(chart as never, { logger: logger as never });
  // The chart needs both a step per strip and a fitted size, which vega-lite warns about.
  expect(warnings.filter((text) => !text.startsWith('Dropping "fit-y"'))).toEqual([]);
  return new View(parse(spec), { renderer: 'none' }).width(600).toSVG();
}

const count = (text: string, part: RegExp): number => [...text.matchAll(part)].length;

const runs: ChartRun[] = ['a', 'b'].flatMap((series, group) =>
  [0, 1, 2].map((seed) => ({ series, seed, acc: 93.9 + 0.1 * seed + group, timeSec: 70 + seed })),
);
const curves = (series: readonly string[], seeds = 2, epochs = 4): ChartPoint[] =>
  series.flatMap((name, index) =>
    Array.from({ length: seeds * epochs }, (_, at) => ({
      series: name,
      epoch: 1 + (at % epochs),
      value: 10 * (1 + (at % epochs)) + index + Math.floor(at / epochs),
    })),
  );

test('a strip has a point for each run, a tick and a line for each mean, a diamond for the published figure', async () => {
  const means = [
    { series: 'a', mean: 94, low: 93.8, high: 94.2 },
    { series: 'b', mean: 95 },
  ];
  const picture = await drawn(stripChart(runs, means, [{ series: 'a', acc: 94.08 }], 94));
  expect(count(picture, /aria-roledescription="circle"/g)).toBe(6);
  expect(count(picture, /aria-roledescription="tick"/g)).toBe(2);
  expect(count(picture, /aria-roledescription="rule mark"/g)).toBe(1);
  expect(count(picture, /stroke-dasharray="5,4"/g)).toBe(1);
  expect(count(picture, /aria-label="[^"]*94\.08[^"]*"/g)).toBe(1);
  const bare = await drawn(stripChart(runs, means, []));
  expect(count(bare, /stroke-dasharray="5,4"/g)).toBe(0);
});

test('a curve is the mean of the runs at each epoch, its band one standard deviation to each side', () => {
  const { data } = curveChart(curves(['a']), { title: 'test loss' }) as {
    data: { values: { epoch: number; mean: number; low: number; high: number; runs: number }[] };
  };
  expect(data.values).toHaveLength(4);
  // Two runs, 20 and 21 after the second epoch: mean 20.5, standard deviation sqrt(1/2).
  expect(data.values[1]).toMatchObject({ epoch: 2, mean: 20.5, runs: 2 });
  expect(data.values[1].high - 20.5).toBeCloseTo(Math.SQRT1_2, 12);
  expect(20.5 - data.values[1].low).toBeCloseTo(Math.SQRT1_2, 12);
});

test('up to seven series share a chart, distinguished by colour and dashes; with more, each has its own', async () => {
  const names = (size: number): string[] => Array.from({ length: size }, (_, at) => `series ${at}`);
  const shared = await drawn(curveChart(curves(names(7)), { title: 'test loss' }));
  expect(count(shared, /aria-roledescription="line mark"/g)).toBe(7);
  const lines = [...shared.matchAll(/aria-roledescription="line mark"[^>]*/g)].map(String);
  expect(new Set(lines.map((line) => /stroke-dasharray="([^"]*)"/.exec(line)?.[1])).size).toBe(7);
  expect(shared).toContain('aria-roledescription="legend"');
  const apart = await drawn(curveChart(curves(names(8)), { title: 'test loss' }));
  expect(count(apart, /aria-roledescription="line mark"/g)).toBe(8);
  expect(count(apart, />series \d</g)).toBe(8);
});

test('a single series has no legend, and a single run still draws a line', async () => {
  const one = await drawn(curveChart(curves(['a'], 1, 2), { title: 'test loss' }));
  expect(one).not.toContain('legend');
  expect(one).toContain('aria-roledescription="line mark"');
});

test('with many series, training and test share a chart with different dashes; the goal is a labelled line', async () => {
  const names = Array.from({ length: 8 }, (_, at) => `series ${at}`);
  const both = ['training', 'test'].flatMap((of) =>
    curves(names).map((point) => ({ ...point, of })),
  );
  const goal = { value: 94, unit: ' %' };
  const picture = await drawn(curveChart(both, { title: 'accuracy, %', goal }));
  expect(count(picture, /aria-roledescription="line mark"/g)).toBe(16);
  const lines = [...picture.matchAll(/aria-roledescription="line mark"[^>]*/g)].map(String);
  expect(new Set(lines.map((line) => /stroke-dasharray="([^"]*)"/.exec(line)?.[1])).size).toBe(2);
  expect(count(picture, />94 %</g)).toBe(8);
});

test('the domain of curves includes their bands and the goal', () => {
  const [low, high] = curveDomain(curves(['a'], 2, 2), [94]);
  // Epoch 1 has 10 and 11: the band starts at 10.5 - sqrt(1/2).
  expect(low).toBeLessThan(10.5 - Math.SQRT1_2);
  expect(low).toBeGreaterThan(0);
  expect(high).toBeGreaterThan(94);
  expect(high).toBeLessThan(100);
});

test('confusion: percentages of each row; more frequent mistakes are darker; the diagonal is plain', async () => {
  const counts = [
    [8, 2, 0],
    [5, 15, 0],
    [0, 0, 0],
  ];
  const picture = await drawn(confusionChart(counts, ['cat', 'dog', 'frog']));
  expect([...picture.matchAll(/>(\d+\.\d)<\/text>/g)].map(([, share]) => share)).toEqual([
    '80.0',
    '20.0',
    '0.0',
    '25.0',
    '75.0',
    '0.0',
    '0.0',
    '0.0',
    '0.0',
  ]);
  const opacities = [...picture.matchAll(/fill="#d55e00"[^>]*/g)].map(([mark]) =>
    Number(/ opacity="([\d.]+)"/.exec(mark)?.[1] ?? 1),
  );
  expect(opacities).toHaveLength(6);
  expect(Math.max(...opacities)).toBeCloseTo(0.85, 6);
  expect(opacities[0]).toBeCloseTo(0.68, 6);
});
