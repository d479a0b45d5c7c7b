import type { Experiment } from '../catalogue/experiment';
import type { Run } from '../runs/run';
import { compare } from './compare';
import { fullRuns, runsOf } from '../runs/full-runs';

/** What changing one thing about an experiment does to its test accuracy. */
export interface AblationRow {
  /** The changed experiment. */
  readonly name: string;
  readonly title: string;
  /** Runs of the changed experiment and of the one that it is compared with. */
  readonly runs: number;
  readonly baseRuns: number;
  /** Mean accuracy of the changed runs less that of the others, percentage points; absent without runs. */
  readonly difference?: number;
  /** Ends of the interval of the difference; absent where one side has fewer than two runs. */
  readonly low?: number;
  readonly high?: number;
  /** `lower` or `higher` only if the interval does not hold 0. */
  readonly verdict: 'lower' | 'higher' | 'cannot tell' | 'n too small' | 'no run yet';
  /** Runs of each that would tell, four times out of five, if difference and spread are the true ones. */
  readonly runsNeeded?: number;
}

/** What can be chosen about {@link ablationRows}. */
export interface AblationOptions {
  /** The length of the runs, as `run.epochs=…` asked for it; default: the experiments' own. */
  readonly epochs?: number;
}

/** Of the intervals, and of the test behind the verdict. */
const level = 0.95;

/** With fewer runs on one side, its own variance is no measure of anything. */
const fewestRuns = 3;

/**
 * What each change of an experiment does, by full-scale runs of one length: Welch's test, each side judged by the variance of
 * its own runs.
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
