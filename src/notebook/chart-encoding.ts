import { NotebookError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import type { FlatRow } from '../text/table';
import type { Channel, ChartOptions, Mark } from './chart-options';

/** The channels of a chart, in the order in which its text lists them. */
export const channels = [
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

export type ChannelName = (typeof channels)[number];

/** The channels that have another name in vega-lite. */
const vegaNames: Readonly<Partial<Record<ChannelName, string>>> = {
  colour: 'color',
  dash: 'strokeDash',
  columns: 'column',
  rows: 'row',
};

/** Channels as vega-lite encodings. */
export type Encoding = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** A channel in full, if it is given as a column name. */
export function canonical(channel: string | Channel | undefined): Channel | undefined {
  return typeof channel === 'string' ? { field: channel } : channel;
}

/**
 * The channels of a chart as vega-lite encodings.
 *
 * @throws NotebookError if there are no rows, or none has a column that a channel names
 */
export function encodingOf(
  rows: readonly FlatRow[],
  marks: readonly Mark[],
  options: ChartOptions,
): Encoding {
  if (rows.length === 0) {
    throw new NotebookError('chart: no rows to draw. Give at least one.');
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

/** One channel as a vega-lite encoding. */
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
  const axis = {
    ...(isAxis && format !== undefined ? { format } : {}),
    // Labels of categories below an axis are horizontal; if numbers have no room, some are omitted.
    ...(name === 'x' && type === 'nominal' && format === undefined ? { labelAngle: 0 } : {}),
    ...(name === 'x' && type === 'ordinal' ? { labelAngle: 0, labelOverlap: true } : {}),
  };
  return {
    ...(field === undefined ? {} : { field }),
    type,
    title: titleOf(name, channel),
    ...(bins === undefined ? {} : { bin: { maxbins: bins } }),
    ...(stat === undefined ? {} : { aggregate: stat }),
    ...(Object.keys(scaling).length === 0 ? {} : { scale: scaling }),
    ...(isQuantity ? {} : { sort: order ?? null }),
    ...(Object.keys(axis).length === 0 ? {} : { axis }),
    ...(isLegend && format !== undefined ? { legend: { format } } : {}),
  };
}

/** The title of an axis or legend. */
export function titleOf(name: ChannelName, { field, title, stat }: Channel): string | null {
  if (title !== undefined) return title === '' ? null : title;
  // The charts side by side have their values as headings.
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
  // A few numbers, such as runs, are names; many, such as channels or layers, have an order.
  return new Set(values).size <= 7 ? 'nominal' : 'ordinal';
}
