import type { EpochRow } from '../src/train/training';

/** A row of an epoch that differs from others of the epoch only in its test accuracy. */
export function epochRow(epoch: number, acc: number): EpochRow {
  return {
    epoch,
    lr: 0.1,
    train: { time: 2, loss: 1, acc: 0.5 },
    valid: { time: 1, loss: 1.5, acc },
    'total time': 2 * epoch,
  };
}

/** A row without its times, which no seed reproduces. */
export function figures({ epoch, lr, train, valid }: EpochRow): readonly number[] {
  return [epoch, lr, train.loss, train.acc, valid.loss, valid.acc];
}
