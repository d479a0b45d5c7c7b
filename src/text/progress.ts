import { fixed } from './fixed';

/** How far a run has come. */
export interface Progress {
  readonly phase: 'train' | 'valid';
  /** The current epoch, from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Examples seen in this phase of this epoch, and their total. */
  readonly done: number;
  readonly total: number;
  /** Seconds since the phase started. */
  readonly timeSec: number;
  /** Means so far in this phase; accuracy between 0 and 1. */
  readonly loss: number;
  readonly acc: number;
  /** Seconds to the end of the run. Default: the estimate of {@link progressLine}. */
  readonly leftSec?: number;
}

/**
 * One line for a terminal: epoch, bar and percent of the whole run, images per second, loss, accuracy, time left.
 *
 * The line is never wider than `width`. Parts that do not fit are dropped in this order: the bar, the rate, the loss, the
 * percentage, the accuracy, the time left; if the epoch alone does not fit, the line is cut. Plain ASCII, no line breaks,
 * no escapes. In validation, where the percentage does not change, the word `test` replaces it.
 *
 * Without `leftSec` the time left covers the remaining training batches at this epoch's pace, without validation; during
 * validation it is unknown.
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
  // The part with the lowest `rank` is dropped first.
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
  // 2 for the brackets; a shorter bar would show nothing.
  const size = Math.min(30, width - join().length - gap.length - 2);
  if (parts.length === count && size >= 6) {
    parts.splice(1, 0, { rank: 0, text: bar(fraction, size) });
  }
  return join().slice(0, Math.max(0, width));
}

/**
 * A number of epochs, rounded to hundredths: a run on a time budget can have a fraction of an epoch.
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
 * A readable duration: `m:ss` below an hour, `h:mm h` from there on, `-:--` if it is unknown (negative, NaN or infinite).
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

/** Rounds down, with a tolerance for earlier rounding errors: 2.4 / 24 of 30 is 3. */
function whole(value: number): number {
  return Math.floor(value + 1e-9);
}

/** At least three digits, with thousands separators. */
function rate(perSec: number): string {
  if (!Number.isFinite(perSec)) return '-';
  const decimals = perSec < 10 ? 2 : perSec < 100 ? 1 : 0;
  const [whole, part] = perSec.toFixed(decimals).split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',');
  return part === undefined ? grouped : `${grouped}.${part}`;
}
