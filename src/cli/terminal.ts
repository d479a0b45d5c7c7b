/** A line on standard error, updated in place on a terminal; elsewhere, an occasional plain line. */
export interface Display {
  /** Shows progress. */
  show(text: string): void;
  /** Prints a permanent line. */
  note(text: string): void;
  /** Removes the line. */
  clear(): void;
  /** Number of characters that fit on the line. */
  readonly width: number;
}

const plainEveryMs = 30_000;

/** Opens a display on standard error: one live line on a terminal, a line every 30 seconds elsewhere. */
export function displayProgress(stream: NodeJS.WriteStream = process.stderr): Display {
  let isShown = false;
  let printedAt = Date.now();
  // A terminal of unknown size reports 0. The last column stays free: some terminals wrap as soon as it is written.
  const width = (): number => (stream.columns || 80) - 1;
  const clear = (): void => {
    if (isShown) stream.write('\r\x1b[2K');
    isShown = false;
  };
  return {
    show(text) {
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${text.slice(0, width())}`);
        isShown = true;
      } else if (Date.now() - printedAt >= plainEveryMs) {
        printedAt = Date.now();
        stream.write(`${text}\n`);
      }
    },
    note(text) {
      clear();
      stream.write(`${text}\n`);
    },
    clear,
    get width() {
      return width();
    },
  };
}
