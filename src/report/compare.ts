import { ReportError } from '../base/errors';
import { studentP, studentPower, studentT, summarise } from './stats';

/** One run's figure, and its seed. */
export interface Observation {
  readonly seed: number;
  readonly value: number;
}

/** Options of {@link compare}. */
export interface CompareOptions {
  /** Confidence level of the interval, and one minus the significance level of the test. Default: 0.95. */
  readonly level?: number;
  /** The power that {@link Comparison.runsNeeded} is computed for. Default: 0.8. */
  readonly power?: number;
  /** `welch`: use each series' own variance even if the seeds are the same. Default: see {@link compare}. */
  readonly test?: 'welch';
}

/** How two series of runs differ, and how certain that is. */
export interface Comparison {
  /** `paired` if both series have the same seeds, each once; otherwise `welch`. */
  readonly test: 'paired' | 'welch';
  /** Runs of the first and of the second series. */
  readonly counts: readonly [first: number, second: number];
  /** Mean of the first series minus the mean of the second. */
  readonly difference: number;
  /**
   * Standard deviation that the difference is judged by. Paired: that of the differences per seed; otherwise: the square root
   * of the mean of both variances. 0 if there is no spread beyond rounding errors; `null` if there are too few runs.
   */
  readonly sd: number | null;
  /** Confidence interval of the true difference; `null` if there are too few runs, or no spread. */
  readonly interval: { readonly low: number; readonly high: number } | null;
  /** Student's t and its degrees of freedom; `null` if there are too few runs, or no spread. */
  readonly t: number | null;
  readonly freedom: number | null;
  /** Two-sided p-value: how often chance alone gives a difference this large. `null` if there are too few runs, or no spread. */
  readonly p: number | null;
  /**
   * Runs of each series (at least 2) with which a difference and spread like these would be significant with probability
   * `power`. `null` if there is no difference, no spread, or too few runs.
   */
  readonly runsNeeded: number | null;
}

/** More runs than anyone would make; the difference is negligible. */
const mostRuns = 1e9;

/** A spread below this share of the values is a rounding error: accuracies averaged in float32 are off by a few 1e-8. */
const roundingError = 1e-7;

/** What cannot be computed from too few runs, or without spread. */
const nothingTested = { interval: null, t: null, freedom: null, p: null, runsNeeded: null };

/**
 * Compares two series of runs by one figure: Student's paired t-test if both have the same seeds (each seed once, so that
 * each pair started with the same order of images), otherwise Welch's test for unequal variances.
 *
 * `runsNeeded` is the smallest n for which the test's power, by the noncentral t distribution, reaches `power` if the true
 * difference and spread are those observed. Use it to plan the next series; it adds no evidence about this one.
 *
 * Without any spread, as between two pairs with equal differences, nothing is tested: the formula gives p = 0, but accuracies
 * are multiples of one test image, so equal values are chance and no evidence that the true spread is 0.
 *
 * @throws ReportError if a series is empty or a value is NaN or infinite, or `level` or `power` is not between 0 and 1
 * @see Student, The probable error of a mean, Biometrika 6 (1908); Welch, The generalization of "Student's" problem when
 *   several different population variances are involved, Biometrika 34 (1947)
 * @example
 * ```ts
 * const seeds = (values: number[]) => values.map((value, seed) => ({ seed, value }));
 * compare(seeds([94.1, 94.3, 94.0]), seeds([93.9, 94.2, 93.7])).p; // 0.074: not yet sure
 * ```
 */
export function compare(
  first: readonly Observation[],
  second: readonly Observation[],
  { level = 0.95, power = 0.8, test: wanted }: CompareOptions = {},
): Comparison {
  if (!(power > 0 && power < 1) || !(level > 0 && level < 1)) {
    throw new ReportError(
      `compare: level ${level}, power ${power}; expected both between 0 and 1, such as 0.95 and 0.8.`,
    );
  }
  const [a, b] = [first, second].map((series) =>
    summarise(
      series.map(({ value }) => value),
      { target: null, level },
    ),
  );
  const counts = [a.count, b.count] as const;
  const largest = Math.max(...[a.min, a.max, b.min, b.max].map(Math.abs));
  const isFlat = (sd: number): boolean => sd <= roundingError * largest;
  const difference = a.mean - b.mean;
  const pairs = wanted === 'welch' ? undefined : pairsOf(first, second);
  if (pairs !== undefined && pairs.length > 1) {
    const { sd: found, mean } = summarise(pairs, { target: null, level });
    const sd = found ?? 0;
    if (isFlat(sd)) return { test: 'paired', counts, difference: mean, sd: 0, ...nothingTested };
    const spread: Spread = {
      sd,
      errorOf: (n) => sd / Math.sqrt(n),
      freedomOf: (n) => n - 1,
    };
    const judged = judge(
      mean,
      spread,
      spread.errorOf(pairs.length),
      pairs.length - 1,
      level,
      power,
    );
    return { test: 'paired', counts, difference: mean, ...judged };
  }
  const test = pairs === undefined ? 'welch' : 'paired';
  if (a.sd === null || b.sd === null) {
    return { test, counts, difference, sd: null, ...nothingTested };
  }
  const [va, vb] = [a.sd ** 2, b.sd ** 2];
  const [ea, eb] = [va / a.count, vb / b.count];
  const sd = Math.sqrt((va + vb) / 2);
  if (isFlat(sd)) return { test, counts, difference, sd: 0, ...nothingTested };
  const spread: Spread = {
    sd,
    errorOf: (n) => Math.sqrt((va + vb) / n),
    freedomOf: (n) => (n - 1) * welch(va, vb, 1, 1),
  };
  const freedom = welch(ea, eb, a.count - 1, b.count - 1);
  return {
    test,
    counts,
    difference,
    ...judge(difference, spread, Math.sqrt(ea + eb), freedom, level, power),
  };
}

/** The standard error of a difference and its degrees of freedom, as functions of the number of runs of each series. */
interface Spread {
  readonly sd: number;
  readonly errorOf: (n: number) => number;
  readonly freedomOf: (n: number) => number;
}

/** Degrees of freedom of a sum of two estimated variances, of which at least one is positive, by Welch and Satterthwaite. */
function welch(va: number, vb: number, freedomA: number, freedomB: number): number {
  return (va + vb) ** 2 / (va ** 2 / freedomA + vb ** 2 / freedomB);
}

/** Differences of the values per seed, if both series have the same seeds without duplicates. */
function pairsOf(
  first: readonly Observation[],
  second: readonly Observation[],
): number[] | undefined {
  const other = new Map(second.map(({ seed, value }) => [seed, value]));
  const seeds = new Set(first.map(({ seed }) => seed));
  const isPaired =
    first.length === second.length &&
    seeds.size === first.length &&
    other.size === second.length &&
    [...seeds].every((seed) => other.has(seed));
  return isPaired ? first.map(({ seed, value }) => value - (other.get(seed) as number)) : undefined;
}

function judge(
  difference: number,
  spread: Spread,
  error: number,
  freedom: number,
  level: number,
  power: number,
): Pick<Comparison, 'sd' | 'interval' | 't' | 'freedom' | 'p' | 'runsNeeded'> {
  const half = studentT(level, freedom) * error;
  const t = difference / error;
  return {
    sd: spread.sd,
    interval: { low: difference - half, high: difference + half },
    t,
    freedom,
    p: studentP(t, freedom),
    runsNeeded: difference === 0 ? null : runsNeeded(Math.abs(difference), spread, level, power),
  };
}

/** The smallest n with enough power, found by doubling and bisection, as power grows with n. */
function runsNeeded(
  difference: number,
  { errorOf, freedomOf }: Spread,
  level: number,
  power: number,
): number | null {
  const isEnough = (n: number): boolean =>
    studentPower(difference / errorOf(n), freedomOf(n), level) >= power;
  let high = 2;
  while (!isEnough(high)) {
    high *= 2;
    if (high > mostRuns) return null;
  }
  let low = Math.max(1, high / 2);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
