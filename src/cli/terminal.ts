/** A line on standard error that is updated in place on a terminal; elsewhere a plain line now and then. */
export interface Display {
  /** Shows where the work stands. */
  show(text: string): void;
  /** Says something that stays. */
  note(text: string): void;
  /** Takes the line away. */
  clear(): void;
  /** Characters that the line has room for. */
  readonly width: number;
}

const plainEveryMs = 30_000;

/** Opens a display on standard error: one live line on a terminal, a line every 30 seconds elsewhere. */
export function displayProgress(stream: NodeJS.WriteStream = process.stderr): Display {
  let isShown = false;
  let toldAt = Date.now();
  // A terminal of unknown size says 0. The last column stays free: some terminals wrap as soon as it is written.
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
      } else if (Date.now() - toldAt >= plainEveryMs) {
        toldAt = Date.now();
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
