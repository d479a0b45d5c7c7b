import { channelDensities } from '../analysis/densities';
import type { ChannelDensity } from '../analysis/densities';
import { NotebookError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { panelGrid } from './panels';
import { extent } from './plot-axis';
import { ink, series } from './theme';

/** How activations become a {@link channelPlot}. */
export interface ChannelPlotOptions {
  /** The range of values shown. Default: -7 to 7. */
  readonly domain?: readonly [from: number, to: number];
  /** Panels per row. Default: 3. */
  readonly columns?: number;
  /** How many channels are shown, from the first. Default: 10. */
  readonly channels?: number;
  /** One density of all channels together instead of one for each. */
  readonly isPooled?: boolean;
  /** By panel: the channel, from 0, to highlight. */
  readonly chosen?: Readonly<Record<string, number>>;
  /** Marks the smallest and the largest value of each channel. */
  readonly hasExtremes?: boolean;
  readonly title?: string;
  readonly subtitle?: string;
}

/**
 * Draws the distribution of channel values over examples and pixels: a panel per activation, with a density for each channel
 * and its mean as a dot below. Heights have no axis: each panel is scaled to its own densities.
 *
 * @param panels activations `[...,channels]` by the title of their panel
 * @throws NotebookError if there is no panel, or `chosen` names an unknown one
 */
export function channelPlot(
  panels: Readonly<Record<string, HostTensor>>,
  {
    domain = [-7, 7],
    columns = 3,
    channels = 10,
    isPooled = false,
    chosen = {},
    hasExtremes = false,
    title = 'Channels',
    subtitle = '',
  }: ChannelPlotOptions = {},
): Promise<Figure> {
  const names = Object.keys(panels);
  const unknown = Object.keys(chosen).find((name) => !names.includes(name));
  if (names.length === 0 || unknown !== undefined) {
    throw new NotebookError(
      `channelPlot: no panel${unknown === undefined ? '' : ` "${unknown}"`}. ` +
        'Name panels by their titles, both in the activations and in `chosen`.',
    );
  }
  const layer = layersOf(domain, Object.keys(chosen).length > 0, hasExtremes);
  const chartOf = (panel: string): object => {
    const how = { domain, channels, isPooled, points };
    return {
      data: { values: rowsOf(channelDensities(panels[panel], how), chosen[panel]) },
      layer,
    };
  };
  return vegaLite(
    { title: { text: title, subtitle }, ...panelGrid(names, columns, chartOf) },
    `${title}: densities of channels in ${names.length} panels (${names.join(', ')})`,
  );
}

/** Points of each density. */
const points = 48;

/** The layers of a panel: densities, extremes if requested, means. */
function layersOf(
  domain: readonly [from: number, to: number],
  isChoice: boolean,
  hasExtremes: boolean,
): object[] {
  const color = isChoice
    ? {
        field: 'role',
        type: 'nominal',
        scale: { domain: ['other', 'chosen'], range: [ink.axis, series[1]] },
        legend: null,
      }
    : { field: 'channel', type: 'ordinal', legend: null };
  const x = (field: string): object => ({
    field,
    type: 'quantitative',
    title: null,
    scale: { domain, nice: false, zero: false },
    axis: { values: [domain[0], 0, domain[1]], grid: false },
  });
  const y = (field: object): object => ({
    ...field,
    type: 'quantitative',
    stack: null,
    axis: null,
    scale: { domain: [-160, 1050], nice: false },
  });
  const quiet = { clip: true, tooltip: false };
  // resvg fails on clipped marks that are far outside the picture.
  const within = (field: string): object => ({ filter: { field, range: [...domain] } });
  const extremes = {
    transform: [{ fold: ['min', 'max'], as: ['end', 'extreme'] }, within('extreme')],
    mark: { type: 'rule', ...quiet },
    encoding: { x: x('extreme'), y: y({ datum: 0 }), y2: { datum: 100 }, color },
  };
  const figures = ['mean', 'min', 'max'].map((field) => {
    return { field, type: 'quantitative', format: '.3f' };
  });
  return [
    {
      transform: densityPoints,
      mark: { type: 'area', line: { strokeWidth: 1.25 }, opacity: 0.2, ...quiet },
      encoding: {
        x: x('at'),
        y: y({ field: 'height' }),
        color,
        detail: { field: 'channel', type: 'ordinal' },
      },
    },
    ...(hasExtremes ? [extremes] : []),
    {
      transform: [within('mean')],
      mark: { type: 'point', size: 24, clip: true },
      encoding: {
        x: x('mean'),
        y: y({ datum: -90 }),
        color,
        tooltip: [{ field: 'channel', type: 'ordinal' }, ...figures],
      },
    },
  ];
}

/** Splits the text of a density into a row for each of its heights. */
const densityPoints: readonly object[] = [
  { filter: "datum.density !== ''" },
  { calculate: "split(datum.density, ' ')", as: 'height' },
  { calculate: `sequence(${points})`, as: 'place' },
  { flatten: ['height', 'place'] },
  { calculate: 'toNumber(datum.height)', as: 'height' },
  { calculate: `datum.from + datum.place * (datum.to - datum.from) / ${points - 1}`, as: 'at' },
];

/**
 * One row per channel, the chosen one last, so that it is drawn over the others. A notebook stores a line for each number,
 * so densities are strings: thousandths of the highest one, at equal distances.
 */
function rowsOf(found: readonly ChannelDensity[], chosen: number | undefined): object[] {
  const top = Math.max(extent(found.flatMap(({ density }) => density))[1], 1e-3);
  const round = (value: number): number => Number(value.toPrecision(4));
  return found
    .toSorted((a, b) => Number(a.channel === chosen) - Number(b.channel === chosen))
    .map(({ channel, mean, min, max, at, density }) => ({
      channel: channel + 1,
      role: channel === chosen ? 'chosen' : 'other',
      mean: round(mean),
      min: round(min),
      max: round(max),
      from: round(at[0] ?? 0),
      to: round(at.at(-1) ?? 0),
      density: density.map((height) => Math.round((1000 * height) / top)).join(' '),
    }));
}
