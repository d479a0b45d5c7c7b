import { DivergedError } from '../base/errors';
import { timeLeft } from '../text/time-left';
import type { EpochEstimate } from '../text/time-left';
import type { Progress } from '../text/progress';
import type { EpochRow, Trainer, Watch } from '../train/training';
import { wallClock } from '../train/timer';
import type { Clock } from '../train/timer';

/** Progress of a run with the seconds left to its end. */
export type RunProgress = Progress & { readonly leftSec: number };

/** The time that epochs take, from which progress estimates the time left. */
export interface Pace {
  readonly clock: Clock;
  /** Seconds of an epoch with its validation: of the last epoch, or of the warm-up before the first. */
  epochSec: number;
  /** Seconds of the last validation; 0 before the first. */
  validSec: number;
  /** When the current epoch started, on the clock. */
  epochStart: number;
  /** Seconds of an epoch's training steps, if known. */
  trainSecOf?: Trainer['trainSecOf'];
}

/** A new pace; {@link runEpochs} keeps it up to date. */
export function createPace(clock: Clock = wallClock): Pace {
  return { clock, epochSec: 0, validSec: 0, epochStart: clock() };
}

/** The callbacks of a trainer that forward its progress with the time left at this pace. */
export function watchAt(
  pace: Pace,
  {
    signal,
    onProgress,
  }: Pick<Watch, 'signal'> & { readonly onProgress?: (progress: RunProgress) => void },
): Watch {
  return {
    clock: pace.clock,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined
      ? {}
      : {
          onProgress: (progress: Progress): void => {
            const elapsedSec = pace.clock() - pace.epochStart;
            onProgress({
              ...progress,
              leftSec: timeLeft(progress, elapsedSec, estimateOf(pace, progress)),
            });
          },
        }),
  };
}

/** Estimates the current epoch and those after it, which take longer if images grow. */
function estimateOf(pace: Pace, { epoch, epochs }: Progress): EpochEstimate {
  const secondsOf = (each: number): number => pace.trainSecOf?.(each) ?? NaN;
  const now = secondsOf(epoch);
  if (!(now > 0)) return pace;
  let all = 0;
  for (let each = epoch; each < epochs + 1; each++) all += secondsOf(each);
  return { epochSec: now + pace.validSec, validSec: pace.validSec, epochsLeft: all / now };
}

/** How {@link runEpochs} trains. */
export interface EpochsOptions {
  /** The last epoch; default: `epochs` of the trainer, which can change during the run. */
  readonly epochs?: number;
  /** Rows of the epochs that are already finished. */
  readonly rows?: readonly EpochRow[];
  /** Seconds already spent on an unfinished epoch that the trainer resumes. */
  readonly unfinishedSec?: number;
  readonly pace?: Pace;
  /** Called after each epoch with all rows; training waits for it. */
  readonly onEpoch?: (row: EpochRow, rows: readonly EpochRow[]) => unknown;
  /** Called with the rows so far after each call of training steps; may change the length of the run. */
  readonly onCall?: (rows: readonly EpochRow[]) => void;
}

/** The finished epochs, and the error if training diverged. */
export interface TrainedEpochs {
  readonly rows: readonly EpochRow[];
  /** Present if the loss or a weight became NaN or infinite. */
  readonly diverged?: DivergedError;
}

/**
 * Trains epoch after epoch to the last one, or until training diverges. Every training of the library uses this function.
 *
 * @throws InterruptedError if the trainer's signal stops it, and whatever `onEpoch` throws
 */
export async function runEpochs(
  trainer: Pick<Trainer, 'runEpoch' | 'epochs'> & Partial<Pick<Trainer, 'trainSecOf'>>,
  {
    epochs,
    rows: before = [],
    unfinishedSec = 0,
    pace = createPace(),
    onEpoch,
    onCall,
  }: EpochsOptions,
): Promise<TrainedEpochs> {
  const rows = [...before];
  if (trainer.trainSecOf !== undefined) pace.trainSecOf = trainer.trainSecOf;
  pace.validSec = rows.at(-1)?.valid.time ?? 0;
  pace.epochStart = pace.clock() - unfinishedSec;
  while (rows.length < (epochs ?? trainer.epochs)) {
    try {
      const row = await trainer.runEpoch(rows.length + 1, onCall && (() => onCall(rows)));
      pace.epochSec = row.train.time + row.valid.time;
      pace.validSec = row.valid.time;
      rows.push(row);
      await onEpoch?.(row, rows);
    } catch (error) {
      if (error instanceof DivergedError) return { rows, diverged: error };
      throw error;
    }
    pace.epochStart = pace.clock();
  }
  return { rows };
}
