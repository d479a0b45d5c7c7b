import { colour, dashes, fitted, mostColours, quantity, seriesOf } from './chart-parts';
import type { ChartPoint, ChartSpec } from './charts';
import { guideLayers } from './guides';
import { summarise } from './stats';

/** How a {@link curveChart} is drawn. */
export interface CurveOptions {
  /** Title of the vertical axis. */
  readonly title: string;
  /** A dashed horizontal line, labelled with its value and `unit`. */
  readonly goal?: { readonly value: number; readonly unit: string };
  /** Range of the vertical axis, so that two charts are comparable. */
  readonly domain?: readonly [low: number, high: number];
}

/** Mean and standard deviation of each series at each epoch. */
function bandsOf(points: readonly ChartPoint[]): readonly CurveBand[] {
  const epochs = new Map<string, number[]>();
  for (const { series, of = '', epoch, value } of points) {
    const key = JSON.stringify([series, of, epoch]);
    epochs.set(key, [...(epochs.get(key) ?? []), value]);
  }
  return [...epochs].map(([key, values]) => {
    const [series, of, epoch] = JSON.parse(key) as [string, string, number];
    const { mean, sd, count } = summarise(values, { target: null });
    return { series, of, epoch, mean, low: mean - (sd ?? 0), high: mean + (sd ?? 0), runs: count };
  });
}

interface CurveBand {
  readonly series: string;
  readonly of: string;
  readonly epoch: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
}

/** The range that includes all bands of points, and `more`. */
export function curveDomain(
  points: readonly ChartPoint[],
  more: readonly number[] = [],
): readonly [low: number, high: number] {
  const ends = [...bandsOf(points).flatMap(({ low, high }) => [low, high]), ...more];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = high > low ? 0.04 * (high - low) : 1;
  return [low - room, high + room];
}

/** Whether all series fit in one chart; otherwise each has its own. */
export function isShared(points: readonly ChartPoint[]): boolean {
  return seriesOf(points).length <= mostColours;
}

/**
 * A value by epoch: the mean over the runs of a series as a line, mean +- standard deviation as a band around it. Up to seven
 * series share a chart; with more, each has its own, on common scales. `of` distinguishes the lines of one series, such as
 * training and test.
 */
export function curveChart(
  points: readonly ChartPoint[],
  { title, goal, domain }: CurveOptions,
): ChartSpec {
  const order = seriesOf(points);
  const kinds = [...new Set(points.flatMap(({ of }) => of ?? []))];
  const sharesChart = isShared(points);
  const last = Math.max(...points.map(({ epoch }) => epoch));
  const x = {
    field: 'epoch',
    type: 'quantitative',
    title: 'epoch',
    axis: { tickMinStep: 1, tickCount: Math.min(last, 12), format: 'd' },
    scale: { nice: false, zero: false },
  };
  const scale = domain === undefined ? { zero: false } : { domain, nice: false };
  const y = (field: string): object => ({ ...quantity(field, title), scale });
  // Below the chart, in as many columns as the longest name allows on half a page.
  const longest = Math.max(...order.map((name) => name.length));
  const coloured = colour(order, {
    orient: 'bottom',
    columns: longest > 28 ? 1 : 2,
    labelLimit: 420,
    symbolType: 'stroke',
    symbolOpacity: 1,
    symbolSize: 300,
  });
  const byKind = {
    field: 'of',
    type: 'nominal',
    sort: kinds,
    scale: { domain: kinds, range: dashes.slice(0, kinds.length) },
    legend: { title: null, orient: 'top', symbolType: 'stroke', symbolSize: 300 },
  };
  const bySeries = { ...coloured, scale: { domain: order, range: dashes.slice(0, order.length) } };
  const color = sharesChart ? { color: coloured } : {};
  const hasDashes = sharesChart ? order.length > 1 : kinds.length > 1;
  const layer = [
    ...(goal === undefined
      ? []
      : guideLayers(
          // Curves end on the right, near the goal.
          { y: goal.value, label: `${goal.value}${goal.unit}`, end: 'left' },
          { axis: { type: 'quantitative', scale } },
        )),
    {
      mark: { type: 'area', opacity: 0.22, line: false, tooltip: null },
      encoding: { x, y: y('low'), y2: { field: 'high' }, detail: { field: 'of' }, ...color },
    },
    {
      mark: { type: 'line', point: last < 3 },
      encoding: {
        x,
        y: y('mean'),
        ...color,
        ...(hasDashes ? { strokeDash: sharesChart ? bySeries : byKind } : {}),
        tooltip: [
          { field: 'series', title: 'series' },
          ...(kinds.length > 0 ? [{ field: 'of', title: 'of' }] : []),
          { field: 'epoch', title: 'epoch' },
          { field: 'mean', title, format: '.4~f' },
          { field: 'runs', title: 'runs' },
        ],
      },
    },
  ];
  const data = { values: bandsOf(points) };
  if (sharesChart) return { ...fitted, height: 300, data, layer };
  return {
    data,
    columns: 3,
    facet: { field: 'series', type: 'nominal', sort: order, title: null },
    spec: { width: 230, height: 150, layer },
  };
}
