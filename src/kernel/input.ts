import { promises } from 'node:readline';
import { Readable } from 'node:stream';

/** What an {@link Input} asks of the kernel when a cell reads. */
export interface InputAsker {
  /**
   * Asks the client of the running cell for a line; fails the cell if the client takes no questions.
   *
   * @returns false if no cell is running
   */
  readonly ask: () => boolean;
}

/** What all interfaces of readline share. */
interface Reader {
  prompt: (this: Reader, ...given: readonly unknown[]) => void;
  readonly input?: Readable;
}

/** The events of a stream for which code listens in order to read. */
const readEvents: readonly (string | symbol)[] = ['data', 'readable', 'keypress'];

/**
 * The standard input of cells: a read from `process.stdin`, by `readline` for instance, asks the client for one line.
 *
 * A read of background work, while no cell runs, is asked for when a later cell reads.
 */
export class Input {
  private readonly asker: InputAsker;
  private stream: Readable | undefined;
  /** The streams whose read has had no answer. */
  private readonly waiting = new WeakSet<object>();
  /** The stream for which the client has been asked. */
  private asked: Readable | undefined;

  constructor(asker: InputAsker) {
    this.asker = asker;
    Object.defineProperty(process, 'stdin', {
      configurable: true,
      enumerable: true,
      get: () => (this.stream?.destroyed === false ? this.stream : this.open()),
    });
    this.watchPrompts();
  }

  private open(): Readable {
    const stream = new Readable({
      // Node fills a buffer ahead, by reads that no code waits for.
      highWaterMark: 0,
      read: () => {
        this.waiting.add(stream);
        this.askSoon(stream);
      },
    });
    // While a read is waiting, Node does not call `read` again.
    stream.on('resume', () => this.askSoon(stream));
    stream.on('newListener', (event) => {
      if (readEvents.includes(event)) this.askSoon(stream);
    });
    this.stream = Object.assign(stream, { fd: 0, isTTY: false });
    return stream;
  }

  /** An open readline interface reads all the time: that a later cell asks a question shows only in its prompt. */
  private watchPrompts(): void {
    const base = Object.getPrototypeOf(promises.Interface.prototype) as Reader;
    const { prompt } = base;
    const askSoon = ({ input }: Reader): void => {
      if (input !== undefined) this.askSoon(input);
    };
    base.prompt = function (...given) {
      Reflect.apply(prompt, this, given);
      askSoon(this);
    };
  }

  private askSoon(stream: Readable): void {
    if (!this.waiting.has(stream)) return;
    // A cell prints its question after it has started to read, and closes its reader after it has the answer.
    setImmediate(() => {
      if (this.asked !== undefined || !this.waiting.has(stream) || stream.destroyed) return;
      const isWanted = stream.readableFlowing === true || stream.listenerCount('readable') > 0;
      if (isWanted && this.asker.ask()) this.asked = stream;
    });
  }

  /** Takes the client's answer. */
  give(line: string): void {
    const { asked } = this;
    if (asked === undefined) return;
    this.asked = undefined;
    this.waiting.delete(asked);
    asked.push(`${line}\n`);
  }

  /** Discards a pending question when its cell has ended, and a stream that it has paused for good. */
  reset(): void {
    this.asked = undefined;
    const { stream } = this;
    const isRead = readEvents.some((event) => (stream?.listenerCount(event) ?? 0) > 0);
    if (stream?.readableFlowing === false && !isRead) this.stream = undefined;
  }
}
