import { Readable } from 'node:stream';

/** What an {@link Input} asks of the kernel when a cell reads. */
export interface InputAsker {
  /** Asks the client of the running cell for a line, or ends the cell if its client gives none. */
  readonly ask: () => void;
}

/**
 * The standard input of cells: what they read from `process.stdin`, as `readline` does, the client is asked for, a line at a
 * time.
 */
export class Input {
  private readonly asker: InputAsker;
  private stream: Readable | undefined;
  private isWaiting = false;

  constructor(asker: InputAsker) {
    this.asker = asker;
    Object.defineProperty(process, 'stdin', {
      configurable: true,
      enumerable: true,
      get: () => (this.stream ??= this.open()),
    });
  }

  private open(): Readable {
    const stream = new Readable({
      read: () => {
        if (this.isWaiting) return;
        this.isWaiting = true;
        // A cell prints its question after it has started to read.
        setImmediate(() => {
          if (this.isWaiting && stream === this.stream) this.asker.ask();
        });
      },
    });
    return Object.assign(stream, { fd: 0, isTTY: false });
  }

  /** Takes the client's answer. */
  give(line: string): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.stream?.push(`${line}\n`);
  }

  /** Forgets a question that nobody will answer: the cell has ended. */
  reset(): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    const { stream } = this;
    this.stream = undefined;
    stream?.destroy();
  }
}
