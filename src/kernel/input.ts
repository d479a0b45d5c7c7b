import { Readable } from 'node:stream';

/** What an {@link Input} asks of the kernel when a cell reads. */
export interface InputAsker {
  /** Asks the client of the running cell for a line; fails the cell if the client takes no questions. */
  readonly ask: () => void;
}

/**
 * The standard input of cells: a read from `process.stdin`, by `readline` for instance, asks the client for one line.
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

  /** Discards a pending question when its cell has ended. */
  reset(): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    const { stream } = this;
    this.stream = undefined;
    stream?.destroy();
  }
}
