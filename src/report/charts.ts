import { colour, fitted, quantity, seriesOf } from './chart-parts';
import { guideLayers } from './guides';

/** A chart as data: a vega-lite specification that includes its rows. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** The figures of one run. */
export interface ChartRun {
  /** The series it belongs to; runs of one series share a colour. */
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
  /** Which line of the series, if it has several: `training`, `test`. */
  readonly of?: string;
  readonly epoch: number;
  readonly value: number;
}

/** The published figures of a series, in percent and seconds. */
export interface ChartMark {
  readonly series: string;
  readonly acc?: number;
  readonly timeSec?: number;
}

/** The mean of a series, with its confidence interval. */
export interface ChartMean {
  readonly series: string;
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}

/** Places runs in the upper part of a strip and their mean below. */
const above = { type: 'quantitative', scale: { domain: [-0.6, 1.3] } } as const;

/** Axis with the names of the series. */
const stripAxis: Readonly<Record<string, unknown>> = {
  // Splits a long label into two lines.
  labelExpr:
    "length(datum.label) > 36 && indexof(datum.label, '@') > 0 ? " +
    "[slice(datum.label, 0, indexof(datum.label, '@')), slice(datum.label, indexof(datum.label, '@'))] : datum.label",
  labelLimit: 560,
  grid: false,
  domain: false,
  ticks: false,
};

/** Diamonds at the published figures, if there are any. */
function publishedLayers(published: readonly ChartMark[], x: object): object[] {
  const values = published.filter(({ acc }) => acc !== undefined);
  if (values.length === 0) return [];
  const mark = { type: 'point', shape: 'diamond', size: 130, filled: false, strokeWidth: 2 };
  const tooltip = [{ field: 'acc', title: 'published, %' }];
  const encoding = { x, yOffset: { datum: 0.9, ...above }, tooltip };
  return [{ data: { values }, mark, encoding }];
}

/**
 * Accuracies, one strip per series: a point per run, a tick at the mean with a line over its interval, a diamond at the
 * published figure, a dashed line at the goal.
 */
export function stripChart(
  runs: readonly ChartRun[],
  means: readonly ChartMean[],
  published: readonly ChartMark[],
  goal?: number,
): ChartSpec {
  const order = seriesOf(runs);
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
        axis: stripAxis,
      },
    },
    layer: [
      ...(goal === undefined
        ? []
        : guideLayers(
            { x: goal, label: `${goal} %` },
            {
              inherited: { y: null },
              axis: { type: 'quantitative' },
              label: { align: 'right', baseline: 'middle', dx: -4, dy: -4 },
            },
          )),
      {
        // The jitter depends on the seed only, so that every drawing looks the same.
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
      ...publishedLayers(published, x),
    ],
  };
}

/**
 * A confusion matrix with true classes as rows and predicted classes as columns. Each cell shows its percentage of the row's
 * images. Mistakes are coloured by that percentage; the diagonal, which would dominate, is left plain.
 *
 * @param counts number of images, by true class and predicted class
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
