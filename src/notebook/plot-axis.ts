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

/** An axis by its column's name, or described. */
export type AxisOption = string | PlotAxis;

/** An axis with every default filled in. */
export function canonicalAxis(axis: AxisOption): Required<PlotAxis> {
  const given = typeof axis === 'string' ? { field: axis } : axis;
  return { title: given.field, scale: 'linear', ...given };
}

/**
 * The numbers of an axis, one a row.
 *
 * @throws NotebookError naming the row whose value is no number, or not above 0 on a logarithmic axis
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

/** A number as axes show it: four digits at most. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}
