import type { AblationRow } from '../report/ablation';
import { intervalText } from '../text/spread';
import { vegaLite } from './chart';
import { sentence } from './figure';
import type { Figure } from './figure';
import { ink, plotSize, series } from './theme';
import { fixed } from '../text/fixed';

/**
 * The effect of each change on the test accuracy, as a chart: a mark for the difference of the means, a bar for its interval.
 * Changes without runs are omitted; if none has runs, a sentence replaces the chart.
 *
 * @param about `title` of the chart, and `base`: the experiment that is changed
 */
export async function ablationFigure(
  rows: readonly AblationRow[],
  about: { readonly title: string; readonly base: string },
): Promise<Figure> {
  const { title, base } = about;
  const marks = rows.filter(({ verdict }) => verdict !== 'no run yet').map(markOf);
  if (marks.length === 0) {
    return sentence(`${title}: none of the ${rows.length} has a run yet.`);
  }
  return vegaLite(
    {
      title: {
        text: title,
        subtitle: `in brackets: its runs vs. those of ${base}; bars: 95 % interval`,
      },
      width: plotSize.width,
      height: { step: 24 },
      layer: layersOf(marks, encodingOf(marks)),
    },
    `${title}: ${rows.map(ablationText).join('; ')}`,
  );
}

/** A row as the chart shows it. */
interface Mark {
  readonly label: string;
  readonly verdict: string;
  readonly difference?: number;
  readonly low?: number;
  readonly high?: number;
}

function markOf({ name, verdict, runs, baseRuns, difference, low, high }: AblationRow): Mark {
  return {
    label: `${shortName(name)} (${runs} vs. ${baseRuns})`,
    verdict: verdict === 'higher' || verdict === 'lower' ? `${verdict}, by the interval` : verdict,
    ...(difference === undefined ? {} : { difference }),
    ...(low === undefined || high === undefined ? {} : { low, high }),
  };
}

const colours = new Map([
  ['lower, by the interval', series[1]],
  ['higher, by the interval', series[2]],
  ['cannot tell', series[0]],
  ['n too small', ink.axis],
]);

/** Axes and colours of the chart. */
function encodingOf(marks: readonly Mark[]): Readonly<Record<'x' | 'y' | 'color', object>> {
  const domain = [...colours.keys()].filter((key) => marks.some(({ verdict }) => verdict === key));
  return {
    x: {
      type: 'quantitative',
      scale: { zero: true },
      axis: { title: 'difference in test accuracy, points' },
    },
    y: {
      field: 'label',
      type: 'nominal',
      sort: marks.map(({ label }) => label),
      axis: { title: null, labelLimit: 330 },
    },
    color: {
      field: 'verdict',
      type: 'nominal',
      scale: { domain, range: domain.map((key) => colours.get(key)) },
      legend: { title: null, orient: 'top' },
    },
  };
}

function layersOf(
  marks: readonly Mark[],
  { x, y, color }: Readonly<Record<'x' | 'y' | 'color', object>>,
): object[] {
  const sure = marks.filter(({ low }) => low !== undefined);
  const layer = (values: readonly Mark[], mark: object, places: object): object[] =>
    values.length === 0 ? [] : [{ data: { values }, mark, encoding: { ...places, y, color } }];
  return [
    {
      data: { values: [{ at: 0 }] },
      mark: { type: 'rule', color: ink.axis, tooltip: false },
      encoding: { x: { field: 'at', type: 'quantitative' } },
    },
    ...layer(
      sure,
      { type: 'rule', strokeWidth: 2 },
      { x: { ...x, field: 'low' }, x2: { field: 'high' } },
    ),
    ...layer(
      marks,
      { type: 'point', filled: true, size: 80 },
      { x: { ...x, field: 'difference' } },
    ),
  ];
}

/** A row in words: `without-muon -3.10 (-3.40 to -2.80), lower`. */
function ablationText({ name, difference, verdict, ...row }: AblationRow): string {
  const ends = intervalText(row);
  const interval = ends === undefined ? '' : ` (${ends})`;
  const found = difference === undefined ? '' : ` ${fixed(difference, 2)}${interval}`;
  return `${shortName(name)}${found}, ${verdict}`;
}

function shortName(name: string): string {
  return name.replace('speedrun-', '');
}
