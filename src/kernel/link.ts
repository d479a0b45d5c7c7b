import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { KernelError } from '../base/errors';
import { slots } from './shared';
import type { FromSockets, SocketsData, ToSockets } from './shared';
import { printToTerminal } from './terminal';
import type { Connection, Outgoing, Request } from './wire';

/** Beyond this, the main thread waits for the sockets, so that the output of a fast loop does not pile up in memory. */
const mostWaitingBytes = 16 << 20;

/** Callbacks for messages of the socket thread, called between turns of the event loop, never inside a cell. */
export interface LinkListener {
  readonly onRequest: (request: Request) => void;
  readonly onInterrupt: () => void;
  readonly onShutdown: () => void;
  /** The sockets cannot be opened, or their thread has ended: the kernel is unreachable. */
  readonly onFailure: (error: KernelError) => void;
}

/** The main thread's side of the socket thread. */
export class Link {
  /** Memory that both threads share; see {@link slots}. */
  readonly flags: Int32Array;
  private readonly worker: Worker;
  private readonly syncs = new Map<number, () => void>();
  private lastSync = 0;

  /**
   * Starts the thread, which opens the sockets at once.
   *
   * @param kernelInfo the answer to kernel_info_request, which the thread sends by itself
   */
  constructor(connection: Connection, kernelInfo: object, listener: LinkListener) {
    const shared = new SharedArrayBuffer(4 * Object.keys(slots).length);
    this.flags = new Int32Array(shared);
    const data: SocketsData = { connection, kernelInfo: JSON.stringify(kernelInfo), shared };
    this.worker = new Worker(join(__dirname, 'sockets.js'), {
      workerData: data,
      // The thread only forwards messages.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    this.worker.on('message', (message: FromSockets) => this.receive(message, listener));
    this.worker.on('error', (cause) => {
      const text = `kernel: the socket thread failed: ${cause.message}`;
      listener.onFailure(new KernelError(text, { cause }));
    });
  }

  private receive(message: FromSockets, listener: LinkListener): void {
    switch (message.kind) {
      case 'request':
        return listener.onRequest(message.request);
      case 'interrupt':
        return listener.onInterrupt();
      case 'shutdown':
        return listener.onShutdown();
      case 'sync':
        this.syncs.get(message.id)?.();
        this.syncs.delete(message.id);
        return;
      case 'complaint':
        // For the server's log, not for a cell.
        printToTerminal(message.text);
        return;
      case 'failure':
        return listener.onFailure(
          new KernelError(
            `kernel: cannot open the sockets of the connection file: ${message.text}. ` +
              'Another kernel may use the same file; let the client create a new one.',
          ),
        );
      default:
        message satisfies never;
    }
  }

  private post(message: ToSockets): void {
    // A thread has no origin.
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    this.worker.postMessage(message);
  }

  /** Reports that the kernel is ready: the thread answers the pending kernel_info_requests. */
  ready(): void {
    this.post({ kind: 'ready' });
  }

  /** Sends a message, then blocks while too much is unsent, unless the cell is being stopped. */
  send(message: Outgoing): void {
    const { flags } = this;
    Atomics.add(flags, slots.waitingBytes, message.content.length);
    this.post({ kind: 'send', message });
    for (;;) {
      const waiting = Atomics.load(flags, slots.waitingBytes);
      if (waiting <= mostWaitingBytes || Atomics.load(flags, slots.isStopping) === 1) return;
      Atomics.wait(flags, slots.waitingBytes, waiting, 100);
    }
  }

  /** Resolves once the listener has received every request that has reached the sockets by now. */
  sync(): Promise<void> {
    const id = (this.lastSync += 1);
    return new Promise((resolve) => {
      this.syncs.set(id, resolve);
      this.post({ kind: 'sync', id });
    });
  }

  /** Flushes the messages and closes the sockets before the process exits; waits at most two seconds. */
  close(): void {
    this.post({ kind: 'close' });
    Atomics.wait(this.flags, slots.isClosed, 0, 2000);
  }
}
