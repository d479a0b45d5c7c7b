import { ReportError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { fixed } from './fixed';

/** One value of a row. */
export type Cell = number | string;

/** A row as it is appended: values, and groups of values such as `train: { time, loss, acc }`. */
export interface Row {
  readonly [key: string]: Cell | Row;
}

/** A row without groups: the keys on the path to a value are joined into one. */
export type FlatRow = Readonly<Record<string, Cell>>;

/** Whether to print a row; its keys are joined with spaces (`train acc`). */
export type Report = (row: FlatRow) => boolean;

/** Options of a {@link Table}. */
export interface TableOptions {
  /** Receives each printed line, without a line break, as `console.log` does. */
  readonly write: (line: string) => void;
  /** Which rows are printed. Default: all. See {@link every}. */
  readonly report?: Report;
  /** The columns printed, in order, their keys joined with spaces. Default: all columns of the first row. */
  readonly columns?: readonly string[];
  /** The columns whose whole numbers are printed without decimals; any other number has four. */
  readonly integers?: readonly string[];
}

/** The integer columns of the reference implementation's tables. */
const integerColumns: readonly string[] = ['run', 'epoch', 'step', 'iteration', 'seed', 'n'];

/**
 * A table that prints itself as it grows, in the reference implementation's layout: columns 12 wide, right-aligned, one
 * space between them; four decimals. All rows are kept.
 *
 * A row holds numbers, texts and groups of these, such as `train: { time, loss, acc }` ({@link Row}). JavaScript
 * cannot tell 1.0 from 1, so integer columns are recognised by name.
 *
 * @example
 * ```ts
 * const table = new Table({ write: console.log, report: every(24, 'epoch') });
 * table.append({ epoch: 1, train: { time: 2.5, loss: 1.6 } }); // titles: epoch, train time, train loss
 * ```
 */
export class Table<R extends object = object> {
  /** Every appended row, unchanged. */
  get log(): readonly R[] {
    return this.#log;
  }

  readonly #log: R[] = [];
  readonly #options: Required<Omit<TableOptions, 'columns'>>;
  #columns: readonly string[] | undefined;
  #first: readonly string[] = [];

  constructor({ write, report = () => true, columns, integers = integerColumns }: TableOptions) {
    this.#options = { write, report, integers };
    this.#columns = columns;
  }

  /**
   * Keeps a row and, if it is reported, prints it; the first row also prints the titles.
   *
   * @throws ReportError if the row has other columns than the first, two of its values share a column, or a value is
   *   neither number nor text; such a row is not kept
   */
  append(row: R): void {
    const { write, report, integers } = this.#options;
    const flat = flatten(row, ' ');
    const keys = Object.keys(flat);
    const columns = this.#columns ?? keys;
    const isFirst = this.#log.length === 0;
    if (isFirst) checkColumns(columns, keys);
    else checkRow(keys, this.#first, this.#log.length + 1);
    const isReported = report(flat);
    this.#log.push(row);
    if (isFirst) {
      [this.#first, this.#columns] = [keys, columns];
      write(formatLine(columns));
    }
    if (!isReported) return;
    write(formatLine(columns.map((key) => formatCell(flat[key], integers.includes(key)))));
  }

  /** The rows for charts and statistics: groups joined with "_", as in `train_acc`; spaces in a key stay. */
  dataFrame(): FlatRow[] {
    return this.#log.map((row) => flatten(row, '_'));
  }
}

/**
 * Reports every n-th row, counted by a column: `every(24, 'epoch')` prints only the last of 24 epochs.
 *
 * @throws ReportError if n is not a positive integer, or (from the returned function) the row has no number in the column
 */
export function every(n: number, column: string): Report {
  if (!Number.isInteger(n) || n < 1) {
    throw new ReportError(
      `every: n is ${n}; expected a positive whole number, as in every(24, 'epoch').`,
    );
  }
  return (row) => {
    const value = row[column];
    if (typeof value !== 'number') {
      const found =
        value === undefined
          ? `has no column "${column}" to count by`
          : `holds "${value}" in the column "${column}"`;
      throw new ReportError(
        `every: the row ${found}.${nearestHint(column, Object.keys(row))} ` +
          `Name a column of numbers.`,
      );
    }
    return value % n === 0;
  };
}

/** Texts as one line of the table: 12 wide, right-aligned, one space between them. */
export function formatLine(texts: readonly string[]): string {
  return texts.map((text) => text.padStart(12)).join(' ');
}

/** A value as the table prints it: four decimals, none for a whole number of an integer column, texts unchanged. */
export function formatCell(value: Cell, isInteger: boolean): string {
  if (typeof value === 'string') return value;
  return fixed(value, isInteger && Number.isInteger(value) ? 0 : 4);
}

/**
 * A row without groups, keys joined.
 *
 * @throws ReportError if two values get the same key, or a value is neither number nor text
 */
export function flatten(row: object, separator: ' ' | '_'): FlatRow {
  const flat = new Map<string, Cell>();
  const walk = (part: object, prefix: string): void => {
    for (const [key, value] of Object.entries(part) as [string, unknown][]) {
      const joined = prefix + key;
      if (typeof value === 'number' || typeof value === 'string') {
        if (flat.has(joined)) {
          throw new ReportError(
            `table: two values of the row map to the column "${joined}". Rename one of them.`,
          );
        }
        flat.set(joined, value);
      } else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
        walk(value, joined + separator);
      } else {
        throw new ReportError(
          `table: "${joined}" is ${String(value)}; expected a number, a string or a group of these.`,
        );
      }
    }
  };
  walk(row, '');
  return Object.fromEntries(flat);
}

function checkColumns(printed: readonly string[], known: readonly string[]): void {
  const unknown = printed.find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new ReportError(
      `table: the first row has no column "${unknown}" to print.` +
        `${nearestHint(unknown, known)} It has: ${known.join(', ')}.`,
    );
  }
}

function checkRow(keys: readonly string[], first: readonly string[], number: number): void {
  const missing = first.find((key) => !keys.includes(key));
  const added = keys.find((key) => !first.includes(key));
  if (missing === undefined && added === undefined) return;
  const faults = [
    ...(missing === undefined ? [] : [`lacks the column "${missing}"`]),
    ...(added === undefined ? [] : [`has a column "${added}" that the first row does not have`]),
  ];
  throw new ReportError(
    `table: row ${number} ${faults.join(' and ')}. Give every row the columns of the first: ${first.join(', ')}.`,
  );
}
