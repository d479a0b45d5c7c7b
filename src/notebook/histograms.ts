import { NotebookError } from '../base/errors';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { panelGrid } from './panels';
import { extent } from './plot-axis';

/** How numbers become {@link histograms}. */
export interface HistogramOptions {
  /** Numbers outside it are not shown, but count towards the densities. */
  readonly domain: readonly [from: number, to: number];
  /** Number of bins, of equal width. Default: 50. */
  readonly bins?: number;
  /** The smallest density on the logarithmic axis, which ends at 10. Default: 1e-3. */
  readonly least?: number;
  /** Panels per row. Default: 3. */
  readonly columns?: number;
  readonly title?: string;
  readonly subtitle?: string;
}

/**
 * Draws the distributions of groups of numbers: a panel of bars for each, on common axes. Heights are densities (the share
 * of a bin divided by its width).
 *
 * @param panels numbers by the title of their panel
 * @throws NotebookError if there is no panel, or one without numbers
 */
export function histograms(
  panels: Readonly<Record<string, ArrayLike<number>>>,
  {
    domain,
    bins = 50,
    least = 1e-3,
    columns = 3,
    title = 'Histograms',
    subtitle = '',
  }: HistogramOptions,
): Promise<Figure> {
  const names = Object.keys(panels);
  const empty = names.find((name) => panels[name].length === 0);
  if (names.length === 0 || empty !== undefined) {
    throw new NotebookError(
      `histograms: no numbers${empty === undefined ? '' : ` for "${empty}"`}. Give at least one.`,
    );
  }
  const [low, high] = domain;
  const width = (high - low) / bins;
  const barsOf = (panel: string): object[] => {
    const counts = new Float64Array(bins);
    const numbers = panels[panel];
    for (const value of Array.from(numbers)) {
      if (!(value >= low && value <= high)) continue;
      counts[Math.min(bins - 1, Math.floor((value - low) / width))]++;
    }
    return Array.from(counts, (count, index) => ({
      from: Number((low + index * width).toPrecision(5)),
      to: Number((low + (index + 1) * width).toPrecision(5)),
      density: Number((count / (numbers.length * width)).toPrecision(4)),
    })).filter(({ density }) => density > least);
  };
  const scale = { type: 'log', domain: [least, 10] };
  const layer = [
    {
      mark: { type: 'bar', clip: true, binSpacing: 0 },
      encoding: {
        x: {
          field: 'from',
          type: 'quantitative',
          bin: 'binned',
          title: null,
          scale: { domain, nice: false },
          axis: { tickCount: 4, grid: false },
        },
        x2: { field: 'to' },
        y: {
          field: 'density',
          type: 'quantitative',
          stack: null,
          title: null,
          scale,
          axis: { values: [least, 0.1, 10], format: '~g' },
        },
        y2: { datum: least },
      },
    },
  ];
  const chartOf = (name: string): object => ({ data: { values: barsOf(name) }, layer });
  const largestOf = (name: string): string => {
    const [, largest] = extent(panels[name]);
    return `${name}, ${largest === -Infinity ? 'no number' : `largest ${largest.toPrecision(3)}`}`;
  };
  return vegaLite(
    { title: { text: title, subtitle }, ...panelGrid(names, columns, chartOf) },
    `${title}: ${names.map(largestOf).join('; ')}`,
  );
}
