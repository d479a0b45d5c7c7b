import { durationText } from '../text/progress';
import { counted } from '../text/counted';

/** Lines on standard error, updated in place on a terminal; not shown elsewhere. */
export interface LinesDisplay {
  /** Replaces the lines with these. */
  show(lines: readonly string[]): void;
  /** Prints a permanent line above the lines. */
  note(text: string): void;
  /** Removes the lines. */
  clear(): void;
  /** Whether the lines are shown. */
  readonly isLive: boolean;
}

/** Opens a display of several lines. Long lines are truncated; lines beyond the terminal's rows are dropped. */
export function displayLines(stream: NodeJS.WriteStream = process.stderr): LinesDisplay {
  let shown = 0;
  const clear = (): void => {
    if (shown > 0) stream.write(`\r\x1b[${shown}A\x1b[J`);
    shown = 0;
  };
  return {
    isLive: stream.isTTY,
    show(lines) {
      if (!stream.isTTY) return;
      clear();
      const fitting = lines.slice(0, Math.max(1, (stream.rows || 24) - 1));
      const width = (stream.columns || 80) - 1;
      stream.write(fitting.map((line) => `${line.slice(0, width)}\n`).join(''));
      shown = fitting.length;
    },
    note(text) {
      clear();
      stream.write(`${text}\n`);
    },
    clear,
  };
}

/** Progress of a sweep: `5 of 12 runs, 43 %, 2:10 left`. */
export function sweepLine(
  finished: number,
  total: number,
  share: number,
  elapsedSec: number,
): string {
  const leftSec = share > 0 ? (elapsedSec * (1 - share)) / share : NaN;
  return `${finished} of ${counted(total, 'run')}, ${Math.floor(100 * share + 1e-9)} %, ${durationText(leftSec)} left`;
}
