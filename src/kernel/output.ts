import { StringDecoder } from 'node:string_decoder';
import type { Cell } from './cells';
import type { Link } from './link';

type StreamName = 'stdout' | 'stderr';

/** Text is sent once it is longer than this. */
const mostLength = 32 << 10;
/** Text is sent once it is older than this. */
const mostMs = 40;

/** Sends the output of cells to the clients, as messages about the request of the cell. */
export class Output {
  private readonly link: Link;
  private pending: { cell: Cell; name: StreamName; text: string; sinceMs: number } | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(link: Link) {
    this.link = link;
  }

  /** Sends a message about a cell, after the text that is still buffered. */
  send(cell: Cell, type: string, content: object): void {
    // Serialized before anything is sent: content that is not JSON is the caller's error.
    const text = JSON.stringify(content);
    this.flush();
    this.publish(cell, type, text);
  }

  private publish(cell: Cell, type: string, content: string): void {
    if (cell.isSilent) return;
    const parent = cell.request.header;
    const idents = [Buffer.from(type)];
    this.link.send({ channel: 'iopub', idents, type, parent, metadata: '{}', content });
  }

  /** Writes text to one of a cell's streams; consecutive pieces are sent as one. */
  write(cell: Cell, name: StreamName, text: string): void {
    if (text === '') return;
    const { pending } = this;
    if (pending !== undefined && pending.cell.request === cell.request && pending.name === name) {
      pending.text += text;
    } else {
      this.flush();
      this.pending = { cell, name, text, sinceMs: Date.now() };
      this.timer ??= setTimeout(() => this.flush(), mostMs);
    }
    const { text: all = '', sinceMs = 0 } = this.pending ?? {};
    // In a loop that never yields, the timer does not fire.
    if (all.length > mostLength || Date.now() - sinceMs > mostMs) this.flush();
  }

  /** Sends the buffered text. */
  flush(): void {
    const { pending } = this;
    if (pending === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.pending = undefined;
    const { cell, name, text } = pending;
    this.publish(cell, 'stream', JSON.stringify({ name, text }));
  }

  /**
   * Redirects what this process writes to one of its streams to a cell.
   *
   * @param cellOf the cell that writes; `undefined` before the first
   */
  capture(name: StreamName, cellOf: () => Cell | undefined): void {
    const stream = process[name];
    const decoder = new StringDecoder('utf8');
    const original = stream.write.bind(stream);
    const write = (
      chunk: string | Uint8Array,
      encoding?: BufferEncoding | ((error?: Error) => void),
      done?: (error?: Error) => void,
    ): boolean => {
      const cell = cellOf();
      if (cell === undefined) return original(chunk);
      const isText = typeof chunk === 'string' && /^utf-?8$/i.test(encodingOf(encoding));
      const text = isText ? chunk : decoder.write(bytesOf(chunk, encodingOf(encoding)));
      this.write(cell, name, text);
      const callback = typeof encoding === 'function' ? encoding : done;
      if (callback !== undefined) process.nextTick(callback);
      return true;
    };
    stream.write = write;
    // A notebook is not a terminal with colours.
    Object.defineProperty(stream, 'isTTY', { value: false, configurable: true });
  }
}

function encodingOf(given: unknown): BufferEncoding {
  return typeof given === 'string' ? (given as BufferEncoding) : 'utf8';
}

function bytesOf(chunk: string | Uint8Array, encoding: BufferEncoding): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, encoding);
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
