import type { Progress } from './progress';

/** What is known of an epoch before it is over. */
export interface EpochEstimate {
  /** Seconds that an epoch takes, validation included: of the one before, or of a warm-up. */
  readonly epochSec: number;
  /** How many of these are validation; 0 where it is not known. */
  readonly validSec: number;
  /** How many times as long as this epoch it and those after it take; default: as many as they are. */
  readonly epochsLeft?: number;
}

/**
 * Seconds to the end of a run, from where it stands.
 *
 * The pace of the epoch under way counts more the further it is, and alone after a tenth of its batches: a warm-up of
 * two steps says little on a machine that does other things besides. Never negative.
 *
 * @param elapsedSec since the epoch began
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
