import { fixed } from './fixed';

/** Where a run stands. */
export interface Progress {
  readonly phase: 'train' | 'valid';
  /** The epoch under way, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Examples seen in this phase of this epoch, of how many. */
  readonly done: number;
  readonly total: number;
  /** Seconds since the phase began. */
  readonly timeSec: number;
  /** Means so far in this phase; accuracy between 0 and 1. */
  readonly loss: number;
  readonly acc: number;
  /** Seconds to the end of the run, where the caller knows better than {@link progressLine}. */
  readonly leftSec?: number;
}

/**
 * One line for a terminal: epoch, bar and percent of the whole run, images per second, loss, accuracy, time left.
 *
 * The line is never wider than `width`. What does not fit is left out: first the bar, then the rate, the loss, the
 * percentage, the accuracy; where not even epoch and time left fit, the time, and then the line is cut. Plain ASCII, no
 * line breaks, no escapes. In validation the percentage, which then stands still, gives way to the word `test`.
 *
 * Without `leftSec` the time left is that of the training batches still to come, at this epoch's pace; validation is
 * not in it, and while validation runs it is not known.
 *
 * @example
 * ```ts
 * progressLine({ phase: 'train', epoch: 1, epochs: 4, done: 20480, total: 50000, timeSec: 45, loss: 1.91, acc: 0.294 }, 80);
 * // 'epoch 1/4  [=>..........]   10 %  455 img/s  loss 1.9100  acc 29.40 %  6:34 left'
 * ```
 */
export function progressLine(progress: Progress, width: number): string {
  const { phase, epoch, epochs, done, total, timeSec, loss, acc } = progress;
  const isTraining = phase === 'train';
  const all = epochCount(epochs);
  const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
  const fraction = Math.min(1, Math.max(0, (isTraining ? epoch - 1 + share : epoch) / epochs));
  const trainLeftSec = isTraining ? (timeSec / share) * (epochs - epoch + 1 - share) : NaN;
  // `rank` is what it takes to stay: the lowest goes first.
  const parts = [
    { rank: 6, text: `epoch ${String(epoch).padStart(all.length)}/${all}` },
    { rank: 3, text: isTraining ? `${whole(100 * fraction)} %`.padStart(5) : ' test' },
    { rank: 1, text: `${rate(done / timeSec)} img/s` },
    { rank: 2, text: `loss ${fixed(loss, 4)}` },
    { rank: 4, text: `acc ${fixed(100 * acc, 2)} %` },
    { rank: 5, text: `${durationText(progress.leftSec ?? trainLeftSec)} left` },
  ];
  const count = parts.length;
  const join = (): string => parts.map(({ text }) => text).join(gap);
  while (join().length > width && parts.length > 1) {
    const lowest = Math.min(...parts.map(({ rank }) => rank));
    parts.splice(
      parts.findIndex(({ rank }) => rank === lowest),
      1,
    );
  }
  // Two brackets, and no bar too short to show anything.
  const size = Math.min(30, width - join().length - gap.length - 2);
  if (parts.length === count && size >= 6) {
    parts.splice(1, 0, { rank: 0, text: bar(fraction, size) });
  }
  return join().slice(0, Math.max(0, width));
}

/**
 * A number of epochs, whole or to hundredths: a run on a budget has as many as the time allows.
 *
 * @example
 * ```ts
 * epochCount(11 / 6); // '1.83'
 * ```
 */
export function epochCount(epochs: number): string {
  return String(Number(epochs.toFixed(2)));
}

/**
 * A stretch of time for people: `m:ss` below an hour, `h:mm h` from there on, `-:--` where it is not known (negative, NaN or infinite).
 */
export function durationText(sec: number): string {
  if (!Number.isFinite(sec) || sec < 0) return '-:--';
  const rounded = Math.round(sec);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (rounded < 3600) return `${Math.floor(rounded / 60)}:${two(rounded % 60)}`;
  return `${Math.floor(rounded / 3600)}:${two(Math.floor((rounded % 3600) / 60))} h`;
}

const gap = '  ';

function bar(fraction: number, size: number): string {
  const done = whole(fraction * size);
  const head = done < size ? '>' : '';
  return `[${'='.repeat(done)}${head}${'.'.repeat(size - done - head.length)}]`;
}

/** Rounded down, but for what rounding took away before: 2.4 / 24 of 30 is 3. */
function whole(value: number): number {
  return Math.floor(value + 1e-9);
}

/** Three digits at least, thousands set apart. */
function rate(perSec: number): string {
  if (!Number.isFinite(perSec)) return '-';
  const decimals = perSec < 10 ? 2 : perSec < 100 ? 1 : 0;
  const [whole, part] = perSec.toFixed(decimals).split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return part === undefined ? grouped : `${grouped}.${part}`;
}
