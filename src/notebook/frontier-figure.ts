import type { ScatterData } from 'plotly.js-dist';
import type { AccuracyPoint } from '../report/frontier-points';
import { intervalText } from '../text/spread';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { plotly } from './plotly';
import type { PlotlyLayout } from './plotly';
import { ink, plotSize, series } from './theme';
import { counted } from '../text/counted';

/** Ticks of the accuracy axis, in percent. */
const named = [70, 80, 85, 90, 92, 93, 94, 95, 96];

/** Ticks of the operations axis in the interactive figure, in PFLOP. */
const work = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

/** The recipe whose lengths are joined by a line. */
const line = 'fastest';

const title = 'Test accuracy against arithmetic';
const workTitle = 'operations of a run, PFLOP';

/** A figure of plotly.js: error on a logarithmic axis labelled with accuracies, so that 94 and 95 % are well apart. */
export interface FrontierFigure {
  readonly traces: readonly Partial<ScatterData>[];
  readonly layout: PlotlyLayout;
}

/**
 * Test accuracy against operations as a figure of plotly.js: `fastest` at several lengths as a line, other experiments run
 * here, and published recipes. Hovering over a mark shows recipe, number of runs, hardware and seconds.
 */
export function frontierFigure(points: readonly AccuracyPoint[]): FrontierFigure {
  const groups = [
    {
      name: `${line}, at several lengths`,
      own: points.filter((point) => point.from === 'here' && point.recipe === line),
      look: { mode: 'lines+markers', marker: { color: series[0], size: 9 } },
    },
    {
      name: 'other experiments, run here',
      own: points.filter((point) => point.from === 'here' && point.recipe !== line),
      look: { mode: 'markers', marker: { color: series[2], size: 9, symbol: 'diamond' as const } },
    },
    {
      name: 'published',
      own: points.filter((point) => point.from === 'published'),
      look: {
        mode: 'markers',
        marker: { color: series[1], size: 10, symbol: 'circle-open' as const },
      },
    },
  ].filter(({ own }) => own.length > 0);
  return {
    traces: groups.map(({ name, own, look }): Partial<ScatterData> => ({
      type: 'scatter',
      name,
      ...look,
      x: own.map(({ pflop }) => pflop),
      y: own.map(({ accPercent }) => 100 - accPercent),
      error_y: {
        type: 'data',
        symmetric: false,
        array: own.map(({ accPercent, low }) => (low === undefined ? null : accPercent - low)),
        arrayminus: own.map(({ accPercent, high }) =>
          high === undefined ? null : high - accPercent,
        ),
        thickness: 1.2,
        width: 3,
      },
      text: own.map(hoverText),
      hovertemplate: '%{text}<extra></extra>',
    })),
    layout: {
      title: { text: title },
      // By default, plotly.js labels a logarithmic axis "2 3 4 5", without the powers of ten.
      xaxis: {
        type: 'log',
        title: { text: workTitle },
        tickvals: [...work],
        ticktext: work.map(String),
      },
      yaxis: {
        type: 'log',
        autorange: 'reversed',
        title: { text: 'test accuracy, %' },
        tickvals: named.map((accPercent) => 100 - accPercent),
        ticktext: named.map(String),
      },
      legend: { orientation: 'h', y: -0.2 },
    },
  };
}

/** {@link frontierFigure} as a figure of a notebook, with a picture for pages that run no scripts. */
export function frontier(points: readonly AccuracyPoint[]): Promise<Figure> {
  const { traces, layout } = frontierFigure(points);
  return plotly(traces, layout, still(points));
}

/** The text shown when hovering over a mark. */
function hoverText(point: AccuracyPoint): string {
  const { recipe, epochs, accPercent, pflop, runs, hardware, seconds, source } = point;
  const ends = intervalText(point);
  const interval = ends === undefined ? '' : ` (${ends})`;
  return [
    `<b>${recipe}</b>${epochs === undefined ? '' : `, ${counted(epochs, 'epoch')}`}`,
    `${accPercent.toFixed(2)} %${interval}, n = ${runs ?? 'not stated'}`,
    `${pflop.toPrecision(3)} PFLOP`,
    hardware,
    ...(seconds === undefined ? [] : [seconds]),
    ...(source === undefined ? [] : [source.replaceAll('; ', '<br>')]),
  ].join('<br>');
}

/** The label beside a mark of the picture. Published recipes near 94 % are too close together for labels. */
function labelOf(from: AccuracyPoint['from'], recipe: string, epochs: number): string {
  if (from === 'here' && recipe === line) return counted(epochs, 'epoch');
  if (from === 'here') return recipe.replace('speedrun-', '');
  return /^airbench9\d(, filtered)?$/.test(recipe) ? recipe : '';
}

/** The frontier as a picture. */
function still(points: readonly AccuracyPoint[]): Promise<Figure> {
  const kinds = ['fastest', 'others, run here', 'published'];
  const values = points.map(({ from, recipe, epochs = 0, pflop, accPercent, low, high }) => ({
    kind: from === 'published' ? kinds[2] : recipe === line ? kinds[0] : kinds[1],
    label: labelOf(from, recipe, epochs),
    pflop,
    error: 100 - accPercent,
    ...(low === undefined || high === undefined
      ? {}
      : { errorLow: 100 - high, errorHigh: 100 - low }),
  }));
  const errors = values.map(({ error }) => error);
  const inside = named.filter(
    (accPercent) =>
      100 - accPercent >= Math.min(...errors) * 0.9 &&
      100 - accPercent <= Math.max(...errors) * 1.1,
  );
  const x = {
    field: 'pflop',
    type: 'quantitative',
    scale: { type: 'log', nice: false, padding: 56 },
    axis: { title: workTitle, format: '~g' },
  };
  const y = {
    field: 'error',
    type: 'quantitative',
    scale: { type: 'log', reverse: true, nice: false, padding: 16 },
    axis: {
      title: 'test accuracy, %',
      values: inside.map((accPercent) => 100 - accPercent),
      labelExpr: '100 - datum.value',
    },
  };
  const color = {
    field: 'kind',
    type: 'nominal',
    scale: { domain: kinds, range: [series[0], series[2], series[1]] },
    legend: { title: null, orient: 'top' },
  };
  return vegaLite(
    {
      data: { values },
      title: { text: title, subtitle: 'means of full-scale runs; bars: 95 % interval' },
      width: plotSize.width,
      height: plotSize.height + 60,
      layer: [
        {
          transform: [{ filter: `datum.kind === '${kinds[0]}'` }],
          mark: { type: 'line', strokeWidth: 1.5 },
          encoding: { x, y, color },
        },
        {
          transform: [{ filter: 'isValid(datum.errorLow)' }],
          mark: { type: 'rule', strokeWidth: 1.5 },
          encoding: {
            x,
            y: { ...y, field: 'errorLow' },
            y2: { field: 'errorHigh' },
            color,
          },
        },
        { mark: { type: 'point', size: 70, filled: true }, encoding: { x, y, color } },
        {
          transform: [{ filter: `datum.kind !== '${kinds[0]}'` }],
          mark: { type: 'text', align: 'left', dx: 8, dy: 3, fontSize: 10.5, color: ink.faint },
          encoding: { x, y, text: { field: 'label' } },
        },
        {
          transform: [{ filter: `datum.kind === '${kinds[0]}'` }],
          mark: { type: 'text', align: 'right', dx: -9, dy: -4, fontSize: 10.5, color: ink.faint },
          encoding: { x, y, text: { field: 'label' } },
        },
      ],
    },
    `${title}: ${points.map(({ recipe, epochs, pflop, accPercent }) => `${recipe}${epochs === undefined ? '' : ` (${epochs} epochs)`} ${accPercent.toFixed(2)} % with ${pflop.toPrecision(3)} PFLOP`).join('; ')}`,
  );
}
