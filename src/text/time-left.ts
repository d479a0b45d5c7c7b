import type { Progress } from './progress';

/** The estimated length of an epoch. */
export interface EpochEstimate {
  /** Seconds per epoch, validation included, measured in the previous epoch or a warm-up. */
  readonly epochSec: number;
  /** How many of these are validation; 0 if unknown. */
  readonly validSec: number;
  /** The length of this epoch and all later ones, in units of this epoch. Default: their number. */
  readonly epochsLeft?: number;
}

/**
 * Seconds to the end of a run, given its progress.
 *
 * The pace of the current epoch counts more the further it is, and alone after a tenth of its batches: a warm-up of two
 * steps is a poor estimate on a busy machine. Never negative.
 *
 * @param elapsedSec since the epoch started
 */
export function timeLeft(
  { phase, epoch, epochs, done, total, timeSec }: Progress,
  elapsedSec: number,
  { epochSec, validSec, epochsLeft = epochs - epoch + 1 }: EpochEstimate,
): number {
  const isTraining = phase === 'train';
  const restOfPhase = (timeSec / done) * (total - done);
  const atThisPace = elapsedSec + restOfPhase + (isTraining ? validSec : 0);
  const trust = isTraining ? Math.min(1, (10 * done) / total) : 1;
  const epochEstimate = trust * atThisPace + (1 - trust) * epochSec;
  return Math.max(0, epochsLeft * epochEstimate - elapsedSec);
}
