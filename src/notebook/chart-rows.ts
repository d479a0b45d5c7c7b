import type { FlatRow } from '../text/table';
import { canonical, channels, titleOf } from './chart-encoding';
import type { ChannelName, Encoding } from './chart-encoding';
import type { Channel, ChartOptions } from './chart-options';

/** A row as a chart stores it. */
export type StoredRow = Record<string, string | number | null>;

/** The columns that the chart reads, numbers to six digits, as a notebook stores them. */
export function stored(rows: readonly FlatRow[], encoding: Encoding): StoredRow[] {
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

/**
 * Renames, in rows and options, columns that vega-lite would read as a path, such as `a.b` and `a[0]`. Titles keep the
 * original names.
 */
export function safeColumns(
  rows: readonly FlatRow[],
  options: ChartOptions,
): { readonly rows: readonly FlatRow[]; readonly options: ChartOptions } {
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const unsafe = known.filter((name) => /[.[\]'"\\]/.test(name));
  if (unsafe.length === 0) return { rows, options };
  const taken = new Set(known);
  const names = new Map<string, string>();
  for (const name of unsafe) {
    let safe = name.replace(/[.[\]'"\\]+/g, ' ').trim() || 'column';
    while (taken.has(safe)) safe = `${safe}_`;
    taken.add(safe);
    names.set(name, safe);
  }
  const renamed = Object.fromEntries(
    channels.flatMap((channel) => {
      const given = canonical(options[channel]);
      const safe = given?.field === undefined ? undefined : names.get(given.field);
      if (given === undefined || safe === undefined) return [];
      return [[channel, { ...given, field: safe, title: given.title ?? spoken(channel, given) }]];
    }),
  );
  return {
    rows: rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [names.get(name) ?? name, value]),
      ),
    ),
    options: { ...options, ...renamed },
  };
}

/** The title of a channel; empty for charts side by side, which have their values as headings. */
function spoken(name: ChannelName, channel: Channel): string {
  return titleOf(name, channel) ?? '';
}
