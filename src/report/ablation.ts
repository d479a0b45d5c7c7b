import type { Experiment } from '../catalogue/experiment';
import type { Run } from '../runs/run';
import { compare } from './compare';
import { fullRuns, runsOf } from '../runs/full-runs';

/** What changing one thing about an experiment does to its test accuracy. */
export interface AblationRow {
  /** The changed experiment. */
  readonly name: string;
  readonly title: string;
  /** Number of runs of the changed experiment and of the base experiment. */
  readonly runs: number;
  readonly baseRuns: number;
  /** Mean accuracy of the changed runs minus that of the base, in percentage points; absent without runs. */
  readonly difference?: number;
  /** Ends of the interval of the difference; absent if one side has fewer than two runs. */
  readonly low?: number;
  readonly high?: number;
  /** `lower` or `higher` only if the interval excludes 0. */
  readonly verdict: 'lower' | 'higher' | 'cannot tell' | 'n too small' | 'no run yet';
  /** Runs per side for a power of 0.8, if the observed difference and spread are the true ones. */
  readonly runsNeeded?: number;
}

/** Options of {@link ablationRows}. */
export interface AblationOptions {
  /** The length of the runs, as set by `run.epochs=…`. Default: the experiments' own. */
  readonly epochs?: number;
}

/** Confidence level of the intervals and of the test behind the verdict. */
const level = 0.95;

/** With fewer runs on one side, its variance is not a usable estimate. */
const fewestRuns = 3;

/**
 * The effect of each change to an experiment, from full-scale runs of the same length: Welch's test, with each side's own
 * variance.
 */
export function ablationRows(
  base: Experiment,
  changes: readonly Experiment[],
  runs: readonly Run[],
  { epochs }: AblationOptions = {},
): AblationRow[] {
  const groups = fullRuns(runs);
  const observed = (name: string): { readonly seed: number; readonly value: number }[] =>
    runsOf(groups, name, epochs).map(({ seed, result }) => ({ seed, value: result.accPercent }));
  const from = observed(base.name);
  return changes.map(({ name, title }) => {
    const to = observed(name);
    const about = { name, title, runs: to.length, baseRuns: from.length };
    if (to.length === 0 || from.length === 0) return { ...about, verdict: 'no run yet' };
    const { difference, interval, p, runsNeeded } = compare(to, from, { level, test: 'welch' });
    const isSmall = Math.min(to.length, from.length) < fewestRuns;
    const isSure = p !== null && p < 1 - level;
    const direction = difference < 0 ? 'lower' : 'higher';
    return {
      ...about,
      difference,
      ...interval,
      verdict: isSmall ? 'n too small' : isSure ? direction : 'cannot tell',
      ...(runsNeeded === null ? {} : { runsNeeded }),
    };
  });
}
