import { UsageError } from '../base/errors';
import type { EpochRow, Trainer, WarmUp } from '../train/training';
import type { Clock } from '../train/timer';
import type { Budget } from './run';

/** Reserved for work that is not measured: checkpoints, logs, the end of the process. */
const reserveSec = 1;

/** Adjusts the length of a training to its budget: after the warm-up, after each epoch, and within epochs. */
export interface BudgetKeeper {
  /** The budget, including the seconds spent before the first epoch. */
  readonly budget: Budget;
  /** Sets the trainer's pace according to the remaining time; keeps it if only evaluations are left. */
  readonly keep: (rows: readonly EpochRow[]) => void;
  /**
   * Does the same after a training step if a tenth of the remaining training time has passed since the last time. Does nothing
   * if the trainer runs several steps in a call: an epoch of another length would need a recording of its own.
   */
  readonly follow: (rows: readonly EpochRow[]) => void;
}

/** The share of the remaining training time after which {@link BudgetKeeper.follow} adjusts the length again. */
const followedShare = 0.1;

/** Options of {@link keepBudget}. */
export interface BudgetOptions {
  readonly trainer: Pick<Trainer, 'endIn' | 'epochs' | 'stepsPerEpoch' | 'stepsPerCall'>;
  readonly warmUp: WarmUp;
  readonly clock: Clock;
  /** When the run started or resumed, on the clock. */
  readonly startedAt: number;
  /** Seconds already spent on an unfinished epoch that the trainer resumes. */
  readonly unfinishedSec?: number;
  /** Seconds needed after the last evaluation. Default: 0. */
  readonly afterwardsSec?: number;
  /** The flag that set the budget; absent for a resumed run, which has it from `run.json`. */
  readonly setBy?: BudgetFlag;
}

/** A flag that sets a budget, with its value in seconds. */
export interface BudgetFlag {
  readonly flag: '--budget' | '--at-most';
  readonly seconds: number;
}

/** The share of `--at-most` that a run which would take longer gets as its budget. */
export const shortenedShare: number = 2 / 3;

/**
 * Fits a training into a budget by compressing or stretching the rest of its schedule. The budget includes evaluation.
 *
 * The time of a run is that of its epochs, including evaluation, plus {@link Budget.spentSec}. Work lost in an interruption
 * since the last checkpoint is not counted, nor is the time between a stop and the next start.
 *
 * @throws UsageError if nothing is trained yet and the budget is too short for one step and the last evaluation; names the
 *   shortest
 */
export function keepBudget(
  budget: Budget,
  rows: readonly EpochRow[],
  { trainer, warmUp, clock, startedAt, unfinishedSec = 0, afterwardsSec = 0, setBy }: BudgetOptions,
): BudgetKeeper {
  const now: Budget = { ...budget, spentSec: budget.spentSec + clock() - startedAt };
  const usedBy = (done: readonly EpochRow[]): number =>
    done.reduce((sum, { train, valid }) => sum + train.time + valid.time, 0);
  const before = usedBy(rows) + unfinishedSec;
  const resumedAt = clock();
  const leftSec = (): number => now.seconds - now.spentSec - before - (clock() - resumedAt);
  let hasStarted = rows.length > 0 || unfinishedSec > 0;
  let nextAt = 0;
  const atEndSec = warmUp.evaluationSec + afterwardsSec + reserveSec;
  /** Plans the rest with time for `count` evaluations between epochs; returns how many that plan has. */
  const planWith = (count: number, secondsLeft: number, done: readonly EpochRow[]): number => {
    trainer.endIn(Math.max(warmUp.trainStepSec, secondsLeft - count * warmUp.midwaySec));
    return Math.max(0, Math.ceil(trainer.epochs - 1e-9) - done.length - 1);
  };
  const keep = (done: readonly EpochRow[]): void => {
    const secondsLeft = leftSec() - atEndSec;
    if (secondsLeft < warmUp.trainStepSec) {
      if (hasStarted) {
        trainer.endIn(warmUp.trainStepSec);
        return;
      }
      const startSec = now.spentSec - (setBy === undefined ? budget.spentSec : 0);
      const epochSec = trainer.stepsPerEpoch * warmUp.trainStepSec;
      throw tooShort(budget, startSec + epochSec + atEndSec, setBy);
    }
    // Each evaluation between epochs takes time from training, and less training can mean fewer of them: find the smallest
    // number that suffices for its own plan.
    let [least, most] = [0, planWith(0, secondsLeft, done)];
    while (least < most) {
      const count = Math.floor((least + most) / 2);
      if (planWith(count, secondsLeft, done) <= count) most = count;
      else least = count + 1;
    }
    planWith(most, secondsLeft, done);
    nextAt = clock() + followedShare * (secondsLeft - most * warmUp.midwaySec);
  };
  keep(rows);
  hasStarted = true;
  const follow = (done: readonly EpochRow[]): void => {
    if (trainer.stepsPerCall === 1 && clock() >= nextAt) keep(done);
  };
  return { budget: now, keep, follow };
}

/** The error for a budget that does not suffice for `neededSec` seconds: the start, an epoch and its evaluation. */
function tooShort(
  { seconds, spentSec }: Budget,
  neededSec: number,
  setBy: BudgetFlag | undefined,
): UsageError {
  const needed = `this machine takes ${Math.ceil(neededSec)} s to start, train one epoch and evaluate`;
  if (setBy === undefined) {
    return new UsageError(
      `run: its budget of ${seconds.toFixed(0)} s is too short (${spentSec.toFixed(0)} s of it were used before the run was ` +
        `stopped): ${needed}. Start a run with at least that.`,
    );
  }
  const { flag, seconds: given } = setBy;
  const least = Math.ceil(flag === '--budget' ? neededSec : neededSec / shortenedShare);
  const share =
    flag === '--budget' ? '' : `a shortened run gets ${seconds.toFixed(0)} s of it, and `;
  return new UsageError(
    `${flag} ${given.toFixed(0)}s is too short: ${share}${needed}. Give at least ${flag} ${least}s.`,
  );
}

/**
 * Parses a duration from the command line: `90s`, `5m`, `1.5h`; a number alone is in seconds.
 *
 * @throws UsageError if the text is not a duration or not above 0
 */
export function parseDuration(text: string, flag = 'budget'): number {
  const match = /^(\d+(?:\.\d+)?)\s*(s|m|h)?$/.exec(text.trim());
  const unit = { s: 1, m: 60, h: 3600 }[match?.[2] ?? 's'] ?? 1;
  const seconds = Number(match?.[1] ?? Number.NaN) * unit;
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new UsageError(
    `--${flag} "${text}" is not a time. Give one as in --${flag} 5m, 90s or 1.5h.`,
  );
}
