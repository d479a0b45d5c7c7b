import { summarise } from './stats';

/** A chart as data: a vega-lite specification, its rows in it. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** A figure of one run. */
export interface ChartRun {
  /** What it is a run of; runs of one series have one colour. */
  readonly series: string;
  readonly seed: number;
  /** Test accuracy, percent. */
  readonly acc: number;
  /** Seconds of training. */
  readonly timeSec: number;
}

/** A value of one run after one epoch. */
export interface ChartPoint {
  readonly series: string;
  readonly epoch: number;
  readonly value: number;
}

/** What was published for a series, in percent and seconds. */
export interface ChartMark {
  readonly series: string;
  readonly acc?: number;
  readonly timeSec?: number;
}

/** Where the mean of endless runs of a series lies. */
export interface ChartMean {
  readonly series: string;
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}

/** Colours tell so many series apart; more of them get a chart each. */
const mostColours = 7;

/** Every series, in the order in which they come. */
function seriesOf(rows: readonly { readonly series: string }[]): string[] {
  return [...new Set(rows.map(({ series }) => series))];
}

function colour(order: readonly string[], legend: object = {}): object {
  // One series needs no colour to be told from others, nor does a legend say more than a title.
  return {
    field: 'series',
    type: 'nominal',
    sort: order,
    scale: { domain: order },
    legend:
      order.length === 1
        ? null
        : { title: null, orient: 'top', columns: 4, labelLimit: 260, ...legend },
  };
}

/** Lines of the series, beside their colours: for readers who see few of them. */
const dashes = [
  [1, 0],
  [9, 4],
  [3, 3],
  [12, 3, 3, 3],
  [6, 2],
  [1, 3],
  [14, 6],
];

/** Runs in the upper part of a strip, what they come to below. */
const above = { type: 'quantitative', scale: { domain: [-0.6, 1.3] } } as const;

const fitted = { width: 'container', autosize: { type: 'fit-x', contains: 'padding' } } as const;

const quantity = (field: string, title: string): object => ({
  field,
  title,
  type: 'quantitative',
  scale: { zero: false },
});

/**
 * Accuracies, a strip a series: a point a run, a tick at the mean with a line over its interval, a diamond at what was
 * published, a dashed line at the goal.
 */
export function stripChart(
  runs: readonly ChartRun[],
  means: readonly ChartMean[],
  published: readonly ChartMark[],
  goal?: number,
): ChartSpec {
  const order = seriesOf(runs);
  const known = published.filter(({ acc }) => acc !== undefined);
  const x = quantity('acc', 'test accuracy, %');
  return {
    ...fitted,
    height: { step: 38 },
    data: { values: runs.map(({ series, seed, acc }) => ({ series, seed, acc })) },
    encoding: {
      y: {
        field: 'series',
        type: 'nominal',
        sort: order,
        title: null,
        axis: { labelLimit: 260, grid: false, domain: false, ticks: false },
      },
    },
    layer: [
      ...(goal === undefined
        ? []
        : [
            {
              data: { values: [{}] },
              mark: { type: 'rule', strokeDash: [5, 4], tooltip: null },
              encoding: { x: { datum: goal, type: 'quantitative' }, y: null },
            },
          ]),
      {
        // Apart by the seed, and so alike in every drawing.
        transform: [{ calculate: '(datum.seed * 0.618034 + 0.5) % 1 - 0.5', as: 'apart' }],
        mark: { type: 'circle', size: 60, opacity: 0.8 },
        encoding: {
          x,
          yOffset: { field: 'apart', ...above },
          color: { ...colour(order), legend: null },
          tooltip: [
            { field: 'series', title: 'series' },
            { field: 'seed', title: 'seed' },
            { field: 'acc', title: 'test accuracy, %', format: '.2f' },
          ],
        },
      },
      {
        data: { values: means.filter(({ low }) => low !== undefined) },
        mark: { type: 'rule', strokeWidth: 2, tooltip: null },
        encoding: {
          x: quantity('low', 'test accuracy, %'),
          x2: { field: 'high' },
          yOffset: { datum: 0.9, ...above },
        },
      },
      {
        data: { values: means },
        mark: { type: 'tick', thickness: 2.5, size: 18 },
        encoding: {
          x: quantity('mean', 'test accuracy, %'),
          yOffset: { datum: 0.9, ...above },
          tooltip: [{ field: 'mean', title: 'mean, %', format: '.3f' }],
        },
      },
      ...(known.length === 0
        ? []
        : [
            {
              data: { values: known },
              mark: { type: 'point', shape: 'diamond', size: 130, filled: false, strokeWidth: 2 },
              encoding: {
                x,
                yOffset: { datum: 0.9, ...above },
                tooltip: [{ field: 'acc', title: 'published, %' }],
              },
            },
          ]),
    ],
  };
}

/**
 * A value by epoch: the mean over the runs of a series as a line, mean +- standard deviation as a band around it. Up to
 * seven series share a chart; more have one each, on common scales.
 */
export function curveChart(points: readonly ChartPoint[], title: string): ChartSpec {
  const order = seriesOf(points);
  const isShared = order.length <= mostColours;
  const epochs = new Map<string, number[]>();
  for (const { series, epoch, value } of points) {
    const key = JSON.stringify([series, epoch]);
    epochs.set(key, [...(epochs.get(key) ?? []), value]);
  }
  const values = [...epochs].map(([key, of]) => {
    const [series, epoch] = JSON.parse(key) as [string, number];
    const { mean, sd, count } = summarise(of, { target: null });
    return { series, epoch, mean, low: mean - (sd ?? 0), high: mean + (sd ?? 0), runs: count };
  });
  const last = Math.max(...points.map(({ epoch }) => epoch));
  const x = {
    field: 'epoch',
    type: 'quantitative',
    title: 'epoch',
    axis: { tickMinStep: 1, tickCount: Math.min(last, 12), format: 'd' },
    scale: { nice: false, zero: false },
  };
  const told = colour(order, { symbolType: 'stroke', symbolOpacity: 1, symbolSize: 300 });
  const color = isShared ? { color: told } : {};
  const layer = [
    {
      mark: { type: 'area', opacity: 0.22, line: false, tooltip: null },
      encoding: { x, y: quantity('low', title), y2: { field: 'high' }, ...color },
    },
    {
      mark: { type: 'line', point: last < 3 },
      encoding: {
        x,
        y: quantity('mean', title),
        ...color,
        ...(isShared && order.length > 1
          ? {
              strokeDash: {
                ...told,
                scale: { domain: order, range: dashes.slice(0, order.length) },
              },
            }
          : {}),
        tooltip: [
          { field: 'series', title: 'series' },
          { field: 'epoch', title: 'epoch' },
          { field: 'mean', title, format: '.4~f' },
          { field: 'runs', title: 'runs' },
        ],
      },
    },
  ];
  const data = { values };
  if (isShared) return { ...fitted, height: 300, data, layer };
  return {
    data,
    columns: 3,
    facet: { field: 'series', type: 'nominal', sort: order, title: null },
    spec: { width: 230, height: 150, layer },
  };
}

/** Accuracy against seconds of training: a point a run, a diamond at what was published. */
export function timeChart(
  runs: readonly ChartRun[],
  published: readonly ChartMark[],
  goal?: number,
): ChartSpec {
  const order = seriesOf(runs);
  const known = published.filter(({ acc, timeSec }) => acc !== undefined && timeSec !== undefined);
  const isShared = order.length <= mostColours;
  const x = quantity('timeSec', 'training time, s');
  const y = quantity('acc', 'test accuracy, %');
  const color = isShared ? { color: colour(order) } : {};
  const shape = isShared && order.length > 1 ? { shape: colour(order) } : {};
  const tooltip = [
    { field: 'series', title: 'series' },
    { field: 'seed', title: 'seed' },
    { field: 'timeSec', title: 'training time, s', format: '.1f' },
    { field: 'acc', title: 'test accuracy, %', format: '.2f' },
  ];
  return {
    ...fitted,
    height: 300,
    layer: [
      ...(goal === undefined
        ? []
        : [
            {
              data: { values: [{}] },
              mark: { type: 'rule', strokeDash: [5, 4], tooltip: null },
              encoding: { y: { datum: goal, type: 'quantitative' } },
            },
          ]),
      {
        data: { values: runs },
        mark: { type: 'point', size: 60, filled: true, opacity: 0.8 },
        encoding: { x, y, ...color, ...shape, tooltip },
      },
      ...(known.length === 0
        ? []
        : [
            {
              data: { values: known },
              mark: { type: 'point', shape: 'diamond', size: 130, filled: false, strokeWidth: 2 },
              encoding: {
                x,
                y,
                ...color,
                tooltip: [{ field: 'series', title: 'published' }, ...tooltip.slice(2)],
              },
            },
          ]),
    ],
  };
}

/**
 * A confusion matrix: a row a true class, a column a predicted one, in each cell the share of the row's images in percent.
 * Mistakes are coloured by that share; the diagonal, which would outshine them, is left plain.
 *
 * @param counts of images, by true class and predicted class
 */
export function confusionChart(
  counts: readonly (readonly number[])[],
  classes: readonly string[],
): ChartSpec {
  const values = counts.flatMap((row, label) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, predicted) => ({
      label: classes[label],
      predicted: classes[predicted],
      count,
      share: total === 0 ? 0 : (100 * count) / total,
      isRight: label === predicted,
    }));
  });
  const most = Math.max(1, ...values.filter(({ isRight }) => !isRight).map(({ share }) => share));
  const axis = { domain: false, ticks: false, labelLimit: 120 };
  const placed = { type: 'nominal', sort: classes } as const;
  return {
    ...fitted,
    height: { step: 32 },
    data: { values },
    encoding: {
      x: {
        field: 'predicted',
        ...placed,
        title: 'predicted',
        axis: { ...axis, orient: 'top', labelAngle: -30 },
      },
      y: { field: 'label', ...placed, title: 'true class', axis },
      tooltip: [
        { field: 'label', title: 'true class' },
        { field: 'predicted', title: 'predicted' },
        { field: 'count', title: 'images', format: '.4~g' },
        { field: 'share', title: '% of the class', format: '.2f' },
      ],
    },
    layer: [
      {
        transform: [{ filter: '!datum.isRight' }],
        mark: { type: 'rect', color: '#d55e00' },
        encoding: {
          opacity: {
            field: 'share',
            type: 'quantitative',
            scale: { domain: [0, most], range: [0, 0.85] },
            legend: null,
          },
        },
      },
      {
        transform: [{ filter: 'datum.isRight' }],
        mark: { type: 'rect', filled: false, stroke: '#8c959f', tooltip: true },
      },
      {
        mark: { type: 'text', fontSize: 12, tooltip: true },
        encoding: { text: { field: 'share', type: 'quantitative', format: '.1f' } },
      },
    ],
  };
}
