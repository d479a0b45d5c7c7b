import { NotebookError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import type { FlatRow } from '../text/table';
import type { Figure } from './figure';
import { raster, rasterMetadata } from './raster';
import { plotSize, vegaConfig } from './theme';

/** A vega-lite specification, version 5. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>;

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
  /** Whether 0 is on the axis; where absent, for bars only. */
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

/** A straight line across a chart. */
export type Guide = ({ readonly x: number } | { readonly y: number }) & { readonly label?: string };

/**
 * Rows as a chart: one mark or several on common axes, in the look of all figures of this project.
 *
 * Interactive where the viewer can (a tooltip tells the values), a picture elsewhere. Rows come as `table.dataFrame()`
 * gives them; only the columns that the chart reads are stored, to six digits. Several charts of different rows, or
 * anything else, as a {@link vegaLite} specification.
 *
 * @throws NotebookError if there are no rows, or none has a column that a channel names
 * @example
 * ```ts
 * await show(chart(table.dataFrame(), {
 *   mark: ['line', 'point'],
 *   x: 'epoch',
 *   y: { field: 'valid_acc', title: 'test accuracy', format: '.0%' },
 *   colour: 'run',
 *   guides: [{ y: 0.94, label: '94 %' }],
 * }));
 * ```
 */
export function chart(rows: readonly FlatRow[], options: ChartOptions): Promise<Figure> {
  const { mark, guides = [], title, subtitle, opacity, ownScales } = options;
  const marks = typeof mark === 'string' ? [mark] : mark;
  const encoding = encodingOf(rows, marks, options);
  const { column, row, ...inner } = encoding;
  const values = stored(rows, encoding);
  // Marks on the edge are drawn whole, unless there may be marks beyond it.
  const isCut = [options.x, options.y].some(
    (channel) => typeof channel === 'object' && channel.domain !== undefined,
  );
  // What is stacked is stacked in the order of the legend.
  const stacking = stackOrder(values, encoding, marks);
  const layers = [
    ...marks.map((type) => ({
      mark: {
        type,
        ...(isCut ? { clip: true } : {}),
        ...(opacity === undefined ? {} : { opacity }),
      },
      encoding: { ...inner, ...stacking },
    })),
    ...guides.flatMap(guideLayers),
  ];
  const { width = plotSize.width, height = plotSize.height } = options;
  const panel = { width, height, layer: layers };
  const isFaceted = column !== undefined || row !== undefined;
  const own = ownScales === 'both' ? ['x', 'y'] : ownScales === undefined ? [] : [ownScales];
  return vegaLite(
    {
      data: { values },
      ...(title === undefined ? {} : { title: { text: title, subtitle: subtitle ?? '' } }),
      ...(isFaceted
        ? {
            facet: {
              ...(column === undefined ? {} : { column }),
              ...(row === undefined ? {} : { row }),
            },
            spec: panel,
            resolve: { scale: Object.fromEntries(own.map((axis) => [axis, 'independent'])) },
          }
        : panel),
    },
    options.text ?? describeChart(rows, options),
  );
}

/**
 * A vega-lite specification as a figure: interactive, as a picture, and as a line of text. The look is that of all
 * figures, and what the specification says about it goes before.
 *
 * @param text what is told where no picture can be shown
 * @throws NotebookError if vega-lite cannot read it; its own words are in the message
 */
export async function vegaLite(spec: VegaLiteSpec, text: string): Promise<Figure> {
  // Two libraries of ES modules, 0.2 s to load: by those who draw, and once.
  const [{ compile }, { View, parse }] = await Promise.all([import('vega-lite'), import('vega')]);
  const { config, ...rest } = spec;
  const themed = {
    // What viewers of today read; we use nothing that came later.
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    ...rest,
    config: { ...vegaConfig, ...(config as object | undefined) },
  };
  const heard: string[] = [];
  const hear = (...words: readonly unknown[]): void => void heard.push(words.join(' '));
  const logger = listener(hear);
  let svg: string;
  try {
    // A copy: vega numbers the rows that it is given.
    const compiled = compile(structuredClone(themed) as unknown as Parameters<typeof compile>[0], {
      logger,
    });
    const view = new View(parse(compiled.spec), { renderer: 'none', logger });
    svg = await view.toSVG();
    view.finalize();
  } catch (cause) {
    throw new NotebookError(`chart: vega-lite cannot draw this: ${String(cause)}.`, { cause });
  }
  if (heard.length > 0) {
    throw new NotebookError(
      `chart: vega-lite has doubts: ${heard.join(' ')} Repair the specification.`,
    );
  }
  const picture = await raster(svg);
  return {
    bundle: {
      'application/vnd.vegalite.v5+json': themed,
      'image/png': picture.png,
      'text/plain': text,
    },
    metadata: rasterMetadata(picture),
  };
}

const channels = [
  'x',
  'y',
  'colour',
  'dash',
  'shape',
  'size',
  'detail',
  'columns',
  'rows',
] as const;

type ChannelName = (typeof channels)[number];

/** What vega-lite calls them, where it is something else. */
const vegaNames: Readonly<Partial<Record<ChannelName, string>>> = {
  colour: 'color',
  dash: 'strokeDash',
  columns: 'column',
  rows: 'row',
};

type Encoding = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

function canonical(channel: string | Channel | undefined): Channel | undefined {
  return typeof channel === 'string' ? { field: channel } : channel;
}

function encodingOf(
  rows: readonly FlatRow[],
  marks: readonly Mark[],
  options: ChartOptions,
): Encoding {
  if (rows.length === 0) {
    throw new NotebookError('chart: there are no rows to draw. Give it at least one.');
  }
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const given = channels.flatMap((name) => {
    const channel = canonical(options[name]);
    return channel === undefined ? [] : [{ name, channel }];
  });
  for (const { name, channel } of given) {
    const { field, stat } = channel;
    if (field === undefined ? stat !== 'count' : !known.includes(field)) {
      const hint = field === undefined ? '' : nearestHint(field, known);
      throw new NotebookError(
        `chart: ${name} reads the column ${field === undefined ? '(none)' : `"${field}"`}, which no row has.${hint} ` +
          `Columns are: ${known.join(', ')}.`,
      );
    }
  }
  return Object.fromEntries(
    given.map(({ name, channel }) => [vegaNames[name] ?? name, encode(name, channel, rows, marks)]),
  );
}

/** One channel in vega-lite's words. */
function encode(
  name: ChannelName,
  channel: Channel,
  rows: readonly FlatRow[],
  marks: readonly Mark[],
): Readonly<Record<string, unknown>> {
  const { field, scale, domain, zero, bins, stat, format, order, colours } = channel;
  const isAxis = name === 'x' || name === 'y';
  const isLegend = name === 'colour' || name === 'dash' || name === 'shape' || name === 'size';
  const values = field === undefined ? [] : rows.flatMap((row) => row[field] ?? []);
  const isNumeric = values.every((value) => typeof value === 'number');
  const type = typeOf(name, { isNumeric, scale, stat, bins, values, marks });
  const isQuantity = type === 'quantitative';
  const scaling = {
    ...(isQuantity && scale !== undefined ? { type: scale } : {}),
    ...(domain === undefined ? {} : { domain }),
    ...(isAxis && isQuantity && scale !== 'log' ? { zero: zero ?? marks.includes('bar') } : {}),
    ...(typeof colours === 'string' ? { scheme: colours } : {}),
    ...(Array.isArray(colours) ? { range: colours } : {}),
  };
  return {
    ...(field === undefined ? {} : { field }),
    type,
    title: titleOf(name, channel),
    ...(bins === undefined ? {} : { bin: { maxbins: bins } }),
    ...(stat === undefined ? {} : { aggregate: stat }),
    ...(Object.keys(scaling).length === 0 ? {} : { scale: scaling }),
    ...(isQuantity ? {} : { sort: order ?? null }),
    ...(isAxis && format !== undefined ? { axis: { format } } : {}),
    ...(isAxis && type === 'nominal' && name === 'x' && format === undefined
      ? { axis: { labelAngle: 0 } }
      : {}),
    ...(isLegend && format !== undefined ? { legend: { format } } : {}),
  };
}

function titleOf(name: ChannelName, { field, title, stat }: Channel): string | null {
  if (title !== undefined) return title === '' ? null : title;
  // The charts side by side say it themselves.
  if (name === 'columns' || name === 'rows') return null;
  if (field === undefined) return 'count';
  const spoken = field.replaceAll('_', ' ');
  return stat === undefined || stat === 'mean' ? spoken : `${stat} of ${spoken}`;
}

function typeOf(
  name: ChannelName,
  about: {
    readonly isNumeric: boolean;
    readonly scale: Channel['scale'] | undefined;
    readonly stat: Channel['stat'] | undefined;
    readonly bins: number | undefined;
    readonly values: readonly (string | number)[];
    readonly marks: readonly Mark[];
  },
): 'quantitative' | 'ordinal' | 'nominal' {
  const { isNumeric, scale, stat, bins, values, marks } = about;
  if (scale !== undefined && scale !== 'categories') return 'quantitative';
  if (stat !== undefined || bins !== undefined) return 'quantitative';
  if (!isNumeric) return 'nominal';
  if (scale === 'categories') return 'ordinal';
  if (name === 'x' || name === 'y' || name === 'size') return 'quantitative';
  if (name !== 'colour') return 'nominal';
  if (marks.includes('rect')) return 'quantitative';
  // Few numbers, as those of runs, are names; many, as those of channels or layers, have an order.
  return new Set(values).size <= 7 ? 'nominal' : 'ordinal';
}

const orderColumn = 'order in the stack';

/** For stacked bars and areas: the place of each row's colour, as a column of its own, and the channel that reads it. */
function stackOrder(values: StoredRow[], { color }: Encoding, marks: readonly Mark[]): Encoding {
  const isStacked = marks.includes('bar') || marks.includes('area');
  if (!isStacked || color?.['type'] !== 'nominal') return {};
  const field = String(color['field']);
  const order = (color['sort'] as readonly string[] | null) ?? [
    ...new Set(values.map((row) => row[field])),
  ];
  for (const row of values) row[orderColumn] = order.indexOf(row[field] as never);
  return { order: { field: orderColumn, type: 'quantitative' } };
}

type StoredRow = Record<string, string | number | null>;

/** The columns that the chart reads, numbers to six digits, as they are kept in a notebook. */
function stored(rows: readonly FlatRow[], encoding: Encoding): StoredRow[] {
  const fields = [
    ...new Set(
      Object.values(encoding).flatMap(({ field }) => (typeof field === 'string' ? [field] : [])),
    ),
  ];
  const rounded = (value: FlatRow[string]): string | number | null => {
    if (typeof value === 'string') return value;
    return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
  };
  return rows.map((row) =>
    Object.fromEntries(
      fields.filter((field) => field in row).map((field) => [field, rounded(row[field])]),
    ),
  );
}

/** A line across everything, and its text at the end, above or beside it. */
function guideLayers({ label, ...at }: Guide): object[] {
  const data = { values: [{}] };
  const isAcross = 'y' in at;
  const position = isAcross ? { y: { datum: at.y } } : { x: { datum: at.x } };
  const line = {
    data,
    mark: { type: 'rule', strokeDash: [5, 4], tooltip: false },
    encoding: position,
  };
  if (label === undefined) return [line];
  const text = isAcross
    ? { align: 'right', baseline: 'bottom', dx: -2, dy: -3 }
    : { align: 'left', baseline: 'top', dx: 5, dy: 2 };
  const end = isAcross ? { x: { value: 'width' } } : { y: { value: 0 } };
  return [
    line,
    {
      data,
      mark: {
        type: 'text',
        text: label,
        fontSize: 11.5,
        color: '#57606a',
        tooltip: false,
        ...text,
      },
      encoding: { ...position, ...end },
    },
  ];
}

function describeChart(rows: readonly FlatRow[], options: ChartOptions): string {
  const told = channels.flatMap((name) => {
    const { field, title } = canonical(options[name]) ?? {};
    return field === undefined ? [] : [`${name} ${title ?? field}`];
  });
  const what = options.title ?? 'chart';
  return `${what} (${told.join(', ')}; ${rows.length} row${rows.length === 1 ? '' : 's'})`;
}

/** What vega and vega-lite have to say, in place of the console. */
function listener(hear: (...words: readonly unknown[]) => void): Listener {
  const logger: Listener = {
    level: () => logger,
    error: (...words) => (hear(...words), logger),
    warn: (...words) => (hear(...words), logger),
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}

interface Listener {
  level(value?: number): Listener;
  error(...words: readonly unknown[]): Listener;
  warn(...words: readonly unknown[]): Listener;
  info(...words: readonly unknown[]): Listener;
  debug(...words: readonly unknown[]): Listener;
}
