import type { Connection, Outgoing, Request } from './wire';

/** Places in the memory that the main thread and the thread of the sockets share: 32-bit integers. */
export const slots = {
  /** 1 from an interrupt until the main thread has seen it. */
  isStopping: 0,
  /** How many interrupts there were. */
  interrupts: 1,
  /**
   * 1 while the main thread is where a signal breaks code off: in the synchronous part of a cell. The sockets take it down
   * to send the one signal.
   */
  isBreakable: 2,
  /** How much the main thread has given to be sent and the sockets have not taken yet. */
  waitingBytes: 3,
  /** 1 once the sockets are closed. */
  isClosed: 4,
  /** How many signals the sockets have sent to this process. */
  signals: 5,
} as const;

/** What the thread of the sockets is started with. */
export interface SocketsData {
  readonly connection: Connection;
  /** The answer to kernel_info_request, as JSON. */
  readonly kernelInfo: string;
  readonly shared: SharedArrayBuffer;
}

/**
 * From the main thread to the sockets. `ready` lets the sockets answer kernel_info_request. `sync` is answered once all
 * requests that have arrived were passed on; `close` is the last, and closes the sockets when everything was sent.
 */
export type ToSockets =
  | { readonly kind: 'send'; readonly message: Outgoing }
  | { readonly kind: 'ready' }
  | { readonly kind: 'close' }
  | { readonly kind: 'sync'; readonly id: number };

/** From the sockets to the main thread. */
export type FromSockets =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'sync'; readonly id: number }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'complaint'; readonly text: string }
  | { readonly kind: 'failure'; readonly text: string };
