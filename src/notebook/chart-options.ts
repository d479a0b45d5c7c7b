import type { Guide } from '../report/guides';

/** A shape that stands for a row, or for several. */
export type Mark = 'line' | 'point' | 'bar' | 'area' | 'rect' | 'tick' | 'boxplot' | 'rule';

/** One column of the rows, and how it is told. */
export interface Channel {
  /** The column; left out where rows are only counted. */
  readonly field?: string;
  /** What the axis or legend says; the column's name where absent, nothing where empty. */
  readonly title?: string;
  /** Numbers lie on a `linear` scale where absent. */
  readonly scale?: 'linear' | 'log' | 'sqrt' | 'symlog' | 'categories';
  /** From where to where; what lies outside is cut off. */
  readonly domain?: readonly [from: number, to: number];
  /** Whether 0 is on the axis; default: for bars only. Without it nothing is stacked. */
  readonly zero?: boolean;
  /** Numbers in that many bins at most, for histograms. */
  readonly bins?: number;
  /** What several rows of one place come to. */
  readonly stat?: 'count' | 'mean' | 'median' | 'sum' | 'min' | 'max' | 'stdev';
  /** As d3 writes it: `.1%`, `.2f`, `~s`. */
  readonly format?: string;
  /** Categories in this order; in the order of the rows where absent. */
  readonly order?: readonly string[];
  /** Colours, by name of a scheme (`viridis`, `blueorange`) or one for each category. */
  readonly colours?: string | readonly string[];
}

/** How rows become a chart. A channel is a column's name, or says more about it. */
export interface ChartOptions {
  /** Several are drawn on top of each other: `['line', 'point']`. */
  readonly mark: Mark | readonly Mark[];
  readonly x?: string | Channel;
  readonly y?: string | Channel;
  readonly colour?: string | Channel;
  readonly dash?: string | Channel;
  readonly shape?: string | Channel;
  readonly size?: string | Channel;
  /** Tells lines apart, without a legend. */
  readonly detail?: string | Channel;
  /** A chart for each value, side by side. */
  readonly columns?: string | Channel;
  /** A chart for each value, one below the other. */
  readonly rows?: string | Channel;
  /** Scales of their own for the charts side by side, in the place of common ones. */
  readonly ownScales?: 'x' | 'y' | 'both';
  /** Straight lines across the chart, each with its text: a published figure, a target. */
  readonly guides?: readonly Guide[];
  readonly opacity?: number;
  readonly title?: string;
  readonly subtitle?: string;
  /** Pixels of the plotting area; those of each one, where there are several. */
  readonly width?: number;
  readonly height?: number;
  /** What is told where no picture can be shown; made of title and rows where absent. */
  readonly text?: string;
}
