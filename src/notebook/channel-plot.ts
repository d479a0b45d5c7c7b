import { channelDensities } from '../analysis/densities';
import type { ChannelDensity } from '../analysis/densities';
import { NotebookError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { panelGrid } from './panels';
import { ink, series } from './theme';

/** How activations become a {@link channelPlot}. */
export interface ChannelPlotOptions {
  /** The values that are shown; -7 to 7 where absent. */
  readonly domain?: readonly [from: number, to: number];
  /** Panels side by side; 3 where absent. */
  readonly columns?: number;
  /** The first so many channels; 10 where absent. */
  readonly channels?: number;
  /** One density of all channels together, in the place of one for each. */
  readonly isPooled?: boolean;
  /** By panel: the channel, from 0, that stands out in colour from the others. */
  readonly chosen?: Readonly<Record<string, number>>;
  /** Marks the smallest and the largest value of each channel. */
  readonly hasExtremes?: boolean;
  readonly title?: string;
  readonly subtitle?: string;
}

/**
 * How the values of channels are spread, over examples and pixels: a panel for each activation, in it a density for each
 * channel, and its mean as a dot below. Heights have no axis: each panel is as high as its own densities.
 *
 * @param panels activations `[...,channels]` by the title of their panel
 * @throws NotebookError if there is no panel, or a channel is to stand out in one that is not there
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
      `channelPlot: there is no panel${unknown === undefined ? '' : ` "${unknown}"`}. ` +
        'Give activations by the titles of their panels, and choose channels by the same.',
    );
  }
  const isChoice = Object.keys(chosen).length > 0;
  const colour = isChoice
    ? {
        field: 'role',
        type: 'nominal',
        scale: { domain: ['other', 'chosen'], range: [ink.axis, series[1]] },
        legend: null,
      }
    : { field: 'channel', type: 'ordinal', legend: null };
  const detail = { field: 'channel', type: 'ordinal' };
  const x = (field: string): object => ({
    field,
    type: 'quantitative',
    title: null,
    scale: { domain, nice: false, zero: false },
    axis: { values: [domain[0], 0, domain[1]], grid: false },
  });
  const quiet = { clip: true, tooltip: false };
  // Far outside of the picture, marks that are clipped are more than resvg can take.
  const within = (field: string): object => ({
    filter: { field, range: [...domain] },
  });
  const layersUpTo = (top: number): object[] => {
    const y = (field: string): object => ({
      field,
      type: 'quantitative',
      stack: null,
      axis: null,
      scale: { domain: [-0.16 * top, 1.05 * top], nice: false },
    });
    return [
      {
        transform: [{ flatten: ['at', 'density'] }],
        mark: { type: 'area', line: { strokeWidth: 1.25 }, opacity: 0.2, ...quiet },
        encoding: { x: x('at'), y: y('density'), color: colour, detail },
      },
      ...(hasExtremes
        ? [
            {
              transform: [
                { fold: ['min', 'max'], as: ['end', 'extreme'] },
                { calculate: '0', as: 'foot' },
                within('extreme'),
              ],
              mark: { type: 'rule', ...quiet },
              encoding: { x: x('extreme'), y: y('foot'), y2: { field: 'tick' }, color: colour },
            },
          ]
        : []),
      {
        transform: [within('mean')],
        mark: { type: 'point', size: 24, clip: true },
        encoding: {
          x: x('mean'),
          y: y('below'),
          color: colour,
          tooltip: [
            { field: 'channel', type: 'ordinal' },
            ...['mean', 'min', 'max'].map((field) => ({
              field,
              type: 'quantitative',
              format: '.3f',
            })),
          ],
        },
      },
    ];
  };
  const chartOf = (panel: string): object => {
    const found = channelDensities(panels[panel], { domain, channels, isPooled });
    const top = Math.max(...found.flatMap(({ density }) => density), 1e-3);
    return { data: { values: rowsOf(found, top, chosen[panel]) }, layer: layersUpTo(top) };
  };
  return vegaLite(
    { title: { text: title, subtitle }, ...panelGrid(names, columns, chartOf) },
    `${title}: densities of channels in ${names.length} panels (${names.join(', ')})`,
  );
}

/** One row a channel, what stands out last, so that it is drawn over the others. */
function rowsOf(
  found: readonly ChannelDensity[],
  top: number,
  chosen: number | undefined,
): object[] {
  const round = (value: number): number => Number(value.toPrecision(4));
  return found
    .toSorted((a, b) => Number(a.channel === chosen) - Number(b.channel === chosen))
    .map(({ channel, mean, min, max, at, density }) => ({
      channel: channel + 1,
      role: channel === chosen ? 'chosen' : 'other',
      mean: round(mean),
      min: round(min),
      max: round(max),
      at: at.map(round),
      density: density.map(round),
      below: round(-0.09 * top),
      tick: round(0.1 * top),
    }));
}
