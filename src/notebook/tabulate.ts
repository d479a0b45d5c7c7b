import { NotebookError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { escapeXml } from '../graph/colours';
import type { FlatRow } from '../text/table';
import type { Figure } from './figure';

/** How rows become a table. */
export interface TabulateOptions {
  /** Columns in order, with their titles (if empty, the column's name). Default: all columns of the first row. */
  readonly columns?: Readonly<Record<string, string>>;
  /** Decimals by column. Default: as many as its numbers need, at most four. */
  readonly digits?: Readonly<Record<string, number>>;
  readonly title?: string;
}

/**
 * Formats rows as a table: numbers are right-aligned, columns are as wide as they need. A missing cell is a dash.
 *
 * @throws NotebookError if there are no rows, or no row has a column that was named
 * @example
 * ```ts
 * await show(tabulate([{ record: 'demo', accPercent: 94.08 }], { columns: { record: '', accPercent: 'test accuracy %' } }));
 * ```
 */
export function tabulate(
  rows: readonly FlatRow[],
  { columns, digits = {}, title }: TabulateOptions = {},
): Figure {
  if (rows.length === 0) throw new NotebookError('tabulate: no rows. Give at least one.');
  const known = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const chosen = Object.entries(
    columns ?? Object.fromEntries(Object.keys(rows[0]).map((key) => [key, ''])),
  );
  const unknown = chosen.find(([key]) => !known.includes(key));
  if (unknown !== undefined) {
    throw new NotebookError(
      `tabulate: no row has the column "${unknown[0]}".${nearestHint(unknown[0], known)} Columns are: ${known.join(', ')}.`,
    );
  }
  const table = chosen.map(([key, heading]) => {
    const decimals = digits[key] ?? digitsOf(rows, key);
    return {
      heading: heading === '' ? key.replaceAll('_', ' ') : heading,
      isNumeric: rows.every((row) => typeof (row[key] ?? 0) === 'number'),
      cells: rows.map((row) => cellText(row[key], decimals)),
    };
  });
  const style = (isNumeric: boolean, isHead = false): string =>
    `text-align:${isNumeric ? 'right' : 'left'};padding:3px 12px;${isHead ? 'border-bottom:1px solid #8c959f;' : ''}`;
  // A unit stays on the line of the word before it.
  const head = table.map(
    ({ heading, isNumeric }) =>
      `<th style="${style(isNumeric, true)}">${escapeXml(heading.replace(/ (%|s)$/, '\u00A0$1'))}</th>`,
  );
  const body = rows.map(
    (_, index) =>
      `<tr>${table.map(({ cells, isNumeric }) => `<td style="${style(isNumeric)}${keptWhole(cells[index])}">${escapeXml(cells[index])}</td>`).join('')}</tr>`,
  );
  const caption =
    title === undefined
      ? ''
      : `<caption style="text-align:left;font-weight:600;padding:3px 12px;white-space:nowrap">${escapeXml(title)}</caption>`;
  return {
    bundle: {
      'text/html': `<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">${caption}<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`,
      'text/plain': plain(table, title),
    },
  };
}

/** Names and short texts stay on one line: a browser would break names at their dashes. */
function keptWhole(text: string): string {
  const most = text.includes(' ') ? 16 : 32;
  return text.length <= most ? 'white-space:nowrap' : '';
}

interface Column {
  readonly heading: string;
  readonly isNumeric: boolean;
  readonly cells: readonly string[];
}

/** How many decimals the numbers of a column need, at most four. */
function digitsOf(rows: readonly FlatRow[], key: string): number {
  const digits = rows.map((row) => {
    const value = row[key];
    const isFraction = typeof value === 'number' && Number.isFinite(value);
    return isFraction
      ? (String(Number(value.toFixed(4)))
          .split('.')
          .at(1)?.length ?? 0)
      : 0;
  });
  return greatest(digits);
}

/** The greatest of any number of values: `Math.max` takes some 120,000. */
function greatest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}

function cellText(value: FlatRow[string] | undefined, digits: number): string {
  if (value === undefined) return '–';
  if (typeof value === 'string') return value;
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return Number.isFinite(value) ? value.toLocaleString('en', options) : String(value);
}

function plain(table: readonly Column[], title: string | undefined): string {
  const columns = table.map(({ heading, isNumeric, cells }) => {
    const texts = [heading, ...cells];
    const width = greatest(texts.map((text) => text.length));
    return texts.map((text) => (isNumeric ? text.padStart(width) : text.padEnd(width)));
  });
  const lines = columns[0].map((_, row) =>
    columns
      .map((column) => column[row])
      .join('  ')
      .trimEnd(),
  );
  return [...(title === undefined ? [] : [title]), ...lines].join('\n');
}
