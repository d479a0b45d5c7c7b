import type { AblationRow } from '../report/ablation';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { ink, plotSize, series } from './theme';

/**
 * What each change does to the test accuracy, as a chart: a mark for the difference of the means, a bar for its interval. What
 * has no runs yet stands in a line of its own, with no mark.
 *
 * @param about `title` of the chart, and `base`: the experiment that the changes are of
 */
export function ablationFigure(
  rows: readonly AblationRow[],
  about: { readonly title: string; readonly base: string },
): Promise<Figure> {
  const { title, base } = about;
  const values = rows.map(({ name, difference, low, high, verdict, runs, baseRuns }) => ({
    label: `${shortName(name)} (${runs} of ${baseRuns})`,
    verdict: verdict === 'higher' || verdict === 'lower' ? `${verdict}, by the interval` : verdict,
    ...(difference === undefined ? {} : { difference }),
    ...(low === undefined || high === undefined ? {} : { low, high }),
  }));
  const compared = values.filter((value) => 'difference' in value);
  const sure = values.filter((value) => 'low' in value);
  const colours = new Map([
    ['lower, by the interval', series[1]],
    ['higher, by the interval', series[2]],
    ['cannot tell', series[0]],
    ['n too small', ink.axis],
    ['no run yet', ink.grid],
  ]);
  const domain = [...colours.keys()].filter((key) => values.some(({ verdict }) => verdict === key));
  const color = {
    field: 'verdict',
    type: 'nominal',
    scale: { domain, range: domain.map((key) => colours.get(key)) },
    legend: { title: null, orient: 'top' },
  };
  const y = {
    field: 'label',
    type: 'nominal',
    sort: values.map(({ label }) => label),
    axis: { title: null, labelLimit: 330 },
  };
  const x = {
    field: 'difference',
    type: 'quantitative',
    scale: compared.length === 0 ? { domain: [-1, 1] } : { zero: true },
    axis: { title: `test accuracy, points from ${base}`, format: '~g' },
  };
  return vegaLite(
    {
      title: {
        text: title,
        subtitle: `in brackets: runs of it, and of ${base}; bars: 95 % interval`,
      },
      width: plotSize.width,
      height: { step: 24 },
      layer: [
        // Keeps a line for what has no runs, and puts 0 on the axis.
        {
          data: { values },
          mark: { type: 'point', opacity: 0, tooltip: false },
          encoding: {
            x: { datum: 0, type: 'quantitative', scale: x.scale, axis: x.axis },
            y,
            color,
          },
        },
        {
          data: { values: [{ at: 0 }] },
          mark: { type: 'rule', color: ink.axis, tooltip: false },
          encoding: { x: { field: 'at', type: 'quantitative' } },
        },
        ...(sure.length === 0
          ? []
          : [
              {
                data: { values: sure },
                mark: { type: 'rule', strokeWidth: 2 },
                encoding: { x: { ...x, field: 'low' }, x2: { field: 'high' }, y, color },
              },
            ]),
        ...(compared.length === 0
          ? []
          : [
              {
                data: { values: compared },
                mark: { type: 'point', filled: true, size: 80 },
                encoding: { x, y, color },
              },
            ]),
      ],
    },
    `${title}: ${rows.map(ablationText).join('; ')}`,
  );
}

/** A row in words: `without-muon -3.10 (-3.40 to -2.80), lower`. */
function ablationText({ name, difference, low, high, verdict }: AblationRow): string {
  const interval =
    low === undefined || high === undefined ? '' : ` (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const found = difference === undefined ? '' : ` ${difference.toFixed(2)}${interval}`;
  return `${shortName(name)}${found}, ${verdict}`;
}

function shortName(name: string): string {
  return name.replace('speedrun-', '');
}
