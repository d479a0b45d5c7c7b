import { chisquare, noncentralt, normal, studentt } from 'jstat';
import { ReportError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { formatCell, formatLine } from '../text/table';
import type { FlatRow } from '../text/table';

/** Statistics of several runs. */
export interface Summary {
  readonly count: number;
  readonly mean: number;
  /** Standard deviation of the sample (divided by n - 1); `null` for a single run. */
  readonly sd: number | null;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** Confidence interval of the true mean, at the requested level; `null` for a single run. */
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** Number of runs at or above the target; `null` without a target. */
  readonly reached: number | null;
}

/** Options of {@link summarise}. */
export interface SummaryOptions {
  /** Counts runs at or above it; `null` for values other than accuracies. Default: 0.94. */
  readonly target?: number | null;
  /** Confidence level of the interval, between 0 and 1. Default: 0.95. */
  readonly level?: number;
}

/**
 * Mean, spread, median, interval of the mean and count at the target of one number per run.
 *
 * The interval is Student's: mean +- t sd / sqrt(n). A run less than 1e-6 below the target counts as at the target, because
 * an accuracy averaged in float32 is off by a few 1e-8, while one CIFAR-10 test image is worth 1e-4.
 *
 * @throws ReportError if there are no values, or one is NaN or infinite
 * @example
 * ```ts
 * summarise([0.9437, 0.9433, 0.9404, 0.9423]); // mean 0.9424, sd 0.0015, 4 of 4 reached, interval 0.9401 to 0.9448
 * ```
 */
export function summarise(
  values: readonly number[],
  { target = 0.94, level = 0.95 }: SummaryOptions = {},
): Summary {
  const count = values.length;
  if (count === 0) throw new ReportError('stats: no values to summarise. Finish at least one run.');
  const fault = values.findIndex((value) => !Number.isFinite(value));
  if (fault >= 0) {
    throw new ReportError(
      `stats: value ${fault + 1} of ${count} is ${values[fault]}; expected finite numbers. Exclude that run, and report it.`,
    );
  }
  const sorted = Float64Array.from(values);
  sorted.sort();
  const [min, max] = [sorted[0], sorted[count - 1]];
  const rough = sum(values) / count;
  // The second pass removes the rounding error of the first.
  const mean = rough + sum(values.map((value) => value - rough)) / count;
  const sd =
    count < 2 ? null : Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (count - 1));
  const half = sd === null ? 0 : (studentT(level, count - 1) * sd) / Math.sqrt(count);
  return {
    count,
    mean,
    sd,
    min,
    median: (sorted[(count - 1) >> 1] + sorted[count >> 1]) / 2,
    max,
    interval: sd === null ? null : { low: mean - half, high: mean + half },
    reached: target === null ? null : values.filter((value) => value >= target - 1e-6).length,
  };
}

/**
 * Statistics of the last epoch of several runs: of the rows whose `epoch` is the largest, for each of the columns.
 *
 * The target applies to columns that end in "acc"; others have none.
 *
 * @param rows rows of all runs together, as `dataFrame()` returns them; all runs have the same number of epochs
 * @throws ReportError if a column is missing or contains strings, or there are no rows
 */
export function summary(
  rows: readonly FlatRow[],
  columns: readonly string[] = ['valid_acc'],
  options: SummaryOptions = {},
): ReadonlyMap<string, Summary> {
  const epochs = column(rows, 'epoch');
  const last = epochs.reduce((a, b) => Math.max(a, b), -Infinity);
  const final = rows.filter((_, index) => epochs[index] === last);
  return new Map(
    columns.map((name) => {
      const own = name.endsWith('acc') ? options : { ...options, target: null };
      return [name, summarise(column(final, name), own)];
    }),
  );
}

/**
 * Summaries as a printed table, one line each, in the layout of the epoch table. Values are not converted, so accuracies are
 * between 0 and 1. A missing value is a dash.
 */
export function summaryText(
  summaries: ReadonlyMap<string, Summary>,
  { target = 0.94, level = 0.95 }: SummaryOptions = {},
): string {
  const percent = (part: number): string => `${Number((100 * part).toFixed(2))} %`;
  const titles = ['', 'n', 'mean', 'sd', 'min', 'median', 'max'];
  const ends = [`${percent(level)} low`, `${percent(level)} high`];
  const reached = target === null ? [] : [`>= ${percent(target)}`];
  const lines = [...summaries].map(([name, one]) => {
    const values = [
      one.mean,
      one.sd,
      one.min,
      one.median,
      one.max,
      one.interval?.low,
      one.interval?.high,
    ];
    return formatLine([
      name,
      String(one.count),
      ...values.map((value) => (typeof value === 'number' ? formatCell(value, false) : '-')),
      ...reached.map(() => (one.reached === null ? '-' : `${one.reached} of ${one.count}`)),
    ]);
  });
  return [formatLine([...titles, ...ends, ...reached]), ...lines].join('\n');
}

/** From here on, t is normal to five digits, while jStat's incomplete beta function loses more precision than that. */
const nearlyNormal = 1e5;

/**
 * The number t for which a Student variable with `freedom` degrees of freedom lies between -t and t with probability `level`;
 * accurate to five digits and, up to 100,000 degrees of freedom, to seven.
 *
 * @param freedom positive, not necessarily an integer
 * @throws ReportError if `level` is not between 0 and 1, or `freedom` is not positive
 */
export function studentT(level: number, freedom: number): number {
  if (!(level > 0 && level < 1) || !(freedom > 0)) {
    throw new ReportError(
      `studentT: level ${level}, ${freedom} degrees of freedom; expected a level between 0 and 1, such as 0.95, ` +
        `and a positive number of degrees.`,
    );
  }
  const below = (1 + level) / 2;
  return freedom > nearlyNormal ? normal.inv(below, 0, 1) : studentt.inv(below, freedom);
}

/**
 * The probability that a Student variable with `freedom` degrees of freedom, positive, is at least as far from 0 as `t`: the
 * p-value of a two-sided test.
 */
export function studentP(t: number, freedom: number): number {
  const tail = -Math.abs(t);
  return 2 * (freedom > nearlyNormal ? normal.cdf(tail, 0, 1) : studentt.cdf(tail, freedom));
}

/**
 * The probability that a Student variable with `freedom` degrees of freedom, whose true mean lies `noncentrality` standard
 * errors from 0, exceeds the critical values of `level`: the power of a two-sided test.
 *
 * @param noncentrality positive
 */
export function studentPower(noncentrality: number, freedom: number, level: number): number {
  const critical = studentT(level, freedom);
  if (freedom > nearlyNormal) {
    return normal.cdf(noncentrality - critical, 0, 1) + normal.cdf(-noncentrality - critical, 0, 1);
  }
  // jStat's series starts from exp(-noncentrality^2 / 2), which underflows from 38 on. That far out, only the estimated
  // standard error matters.
  if (noncentrality > 37) {
    return chisquare.cdf(freedom * (noncentrality / critical) ** 2, freedom);
  }
  return (
    1 -
    noncentralt.cdf(critical, freedom, noncentrality) +
    noncentralt.cdf(-critical, freedom, noncentrality)
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function column(rows: readonly FlatRow[], name: string): number[] {
  return rows.map((row) => {
    const value = row[name];
    if (typeof value === 'number') return value;
    const found = value === undefined ? 'is missing' : `holds "${value}"`;
    throw new ReportError(
      `summary: column "${name}" ${found}.${nearestHint(name, Object.keys(row))} Name a column of numbers.`,
    );
  });
}
