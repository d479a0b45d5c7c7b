import type { Guide } from '../report/guides';

/** A shape that stands for a row, or for several. */
export type Mark = 'line' | 'point' | 'bar' | 'area' | 'rect' | 'tick' | 'boxplot' | 'rule';

/** One column of the rows, and how it is shown. */
export interface Channel {
  /** The column; omit it to count rows. */
  readonly field?: string;
  /** Title of the axis or legend; if empty, there is none. Default: the column's name. */
  readonly title?: string;
  /** Default for numbers: `linear`. */
  readonly scale?: 'linear' | 'log' | 'sqrt' | 'symlog' | 'categories';
  /** Range of the scale; marks outside it are clipped. */
  readonly domain?: readonly [from: number, to: number];
  /** Whether the axis includes 0. If false, nothing is stacked. Default: only for bars. */
  readonly zero?: boolean;
  /** Maximum number of bins, for histograms. */
  readonly bins?: number;
  /** How several rows at one position are aggregated. */
  readonly stat?: 'count' | 'mean' | 'median' | 'sum' | 'min' | 'max' | 'stdev';
  /** A d3 format: `.1%`, `.2f`, `~s`. */
  readonly format?: string;
  /** Order of the categories. Default: that of the rows. */
  readonly order?: readonly string[];
  /** The name of a colour scheme (`viridis`, `blueorange`), or a colour for each category. */
  readonly colours?: string | readonly string[];
}

/** How rows become a chart. A channel is the name of a column or a {@link Channel}. */
export interface ChartOptions {
  /** Several are drawn on top of each other: `['line', 'point']`. */
  readonly mark: Mark | readonly Mark[];
  readonly x?: string | Channel;
  readonly y?: string | Channel;
  readonly colour?: string | Channel;
  readonly dash?: string | Channel;
  readonly shape?: string | Channel;
  readonly size?: string | Channel;
  /** Splits rows into separate lines, without a legend. */
  readonly detail?: string | Channel;
  /** A chart for each value, side by side. */
  readonly columns?: string | Channel;
  /** A chart for each value, one below the other. */
  readonly rows?: string | Channel;
  /** Axes that have a separate scale in each of the charts side by side. Default: none. */
  readonly ownScales?: 'x' | 'y' | 'both';
  /** Straight lines across the chart, each with its text: a published figure, a target. */
  readonly guides?: readonly Guide[];
  readonly opacity?: number;
  readonly title?: string;
  readonly subtitle?: string;
  /** Pixels of the plotting area, or of each one if there are several. */
  readonly width?: number;
  readonly height?: number;
  /** Shown where no picture can be. Default: title, channels and number of rows. */
  readonly text?: string;
}
