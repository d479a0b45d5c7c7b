/** A line on standard error that is replaced as work goes on; where nobody watches, a plain line now and then. */
export interface Display {
  /** Shows where the work stands. */
  show(text: string): void;
  /** Says something that stays. */
  note(text: string): void;
  /** Takes the line away. */
  clear(): void;
}

const plainEveryMs = 30_000;

/** Opens a display on standard error: one live line on a terminal, a line every 30 seconds elsewhere. */
export function displayProgress(stream: NodeJS.WriteStream = process.stderr): Display {
  let isShown = false;
  let toldAt = Date.now();
  const clear = (): void => {
    if (isShown) stream.write('\r\x1b[2K');
    isShown = false;
  };
  return {
    show(text) {
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${text.slice(0, stream.columns - 1)}`);
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
  };
}

/** As in `170.5 MB`. */
export function bytesText(count: number): string {
  return `${(count / 1e6).toFixed(1)} MB`;
}
