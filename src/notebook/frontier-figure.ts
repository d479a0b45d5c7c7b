import type { ScatterData } from 'plotly.js-dist';
import type { AccuracyPoint } from '../report/frontier-points';
import { intervalText } from '../text/spread';
import type { Figure } from './figure';
import {
  accuracyTicks,
  frontierPicture,
  frontierTitle,
  isOfLine,
  lineRecipe,
  workTitle,
} from './frontier-picture';
import { plotly } from './plotly';
import type { PlotlyLayout } from './plotly';
import { series } from './theme';
import { counted } from '../text/counted';
import { fixed } from '../text/fixed';

/** Ticks of the operations axis in the interactive figure, in PFLOP. */
const work = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];

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
      name: `${lineRecipe}, at several lengths`,
      own: points.filter(isOfLine),
      look: { mode: 'lines+markers', marker: { color: series[0], size: 9 } },
    },
    {
      name: 'other experiments, run here',
      own: points.filter((point) => point.from === 'here' && !isOfLine(point)),
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
      title: { text: frontierTitle },
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
        tickvals: accuracyTicks.map((accPercent) => 100 - accPercent),
        ticktext: accuracyTicks.map(String),
      },
      legend: { orientation: 'h', y: -0.2 },
    },
  };
}

/** {@link frontierFigure} as a figure of a notebook, with a picture for pages that run no scripts. */
export function frontier(points: readonly AccuracyPoint[]): Promise<Figure> {
  const { traces, layout } = frontierFigure(points);
  return plotly(traces, layout, frontierPicture(points));
}

/** The text shown when hovering over a mark. */
function hoverText(point: AccuracyPoint): string {
  const { recipe, epochs, accPercent, pflop, runs, hardware, seconds, source } = point;
  const ends = intervalText(point);
  const interval = ends === undefined ? '' : ` (${ends})`;
  return [
    `<b>${recipe}</b>${epochs === undefined ? '' : `, ${counted(epochs, 'epoch')}`}`,
    `${fixed(accPercent, 2)} %${interval}, n = ${runs ?? 'not stated'}`,
    `${pflop.toPrecision(3)} PFLOP`,
    hardware,
    ...(seconds === undefined ? [] : [seconds]),
    ...(source === undefined ? [] : [source.replaceAll('; ', '<br>')]),
  ].join('<br>');
}
