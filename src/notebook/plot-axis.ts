import { NotebookError } from '../base/errors';
import type { FlatRow } from '../text/table';

/** A column of numbers as an axis. */
export interface PlotAxis {
  readonly field: string;
  /** Default: the column's name. */
  readonly title?: string;
  /** Default: `linear`. */
  readonly scale?: 'linear' | 'log';
}

/** An axis, or the name of its column. */
export type AxisOption = string | PlotAxis;

/** An axis with every default filled in. */
export function canonicalAxis(axis: AxisOption): Required<PlotAxis> {
  const given = typeof axis === 'string' ? { field: axis } : axis;
  return { title: given.field, scale: 'linear', ...given };
}

/**
 * The numbers of an axis, one per row.
 *
 * @throws NotebookError naming the row whose value is not a number, or not above 0 on a logarithmic axis
 */
export function numbersOf(
  call: string,
  rows: readonly FlatRow[],
  { field, scale }: Required<PlotAxis>,
): number[] {
  return rows.map((row, index) => {
    const value = row[field];
    const isLog = scale === 'log';
    if (typeof value !== 'number' || (isLog && value <= 0)) {
      throw new NotebookError(
        `${call}: "${field}" of row ${index} is ${JSON.stringify(value) ?? 'missing'}, expected a number` +
          `${isLog ? ' above 0, as its axis is logarithmic' : ''}.`,
      );
    }
    return value;
  });
}

/**
 * The least and the greatest of any number of values; passing them all to `Math.max` overflows the stack. NaN does not
 * count: `[Infinity, -Infinity]` if there is nothing else.
 */
export function extent(values: ArrayLike<number>): [least: number, greatest: number] {
  let [least, greatest] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (values[i] < least) least = values[i];
    if (values[i] > greatest) greatest = values[i];
  }
  return [least, greatest];
}

/** A number as axes show it: at most four digits. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}
