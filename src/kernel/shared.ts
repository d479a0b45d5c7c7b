import type { Connection, Outgoing, Request } from './wire';

/** Indices of the 32-bit integers that the main thread and the socket thread share. */
export const slots = {
  /** 1 from an interrupt until the main thread has seen it. */
  isStopping: 0,
  /** Number of interrupts so far. */
  interrupts: 1,
  /**
   * 1 while a signal would break off code: in the synchronous part of a cell. The socket thread sets it to 0 when it sends
   * its only signal.
   */
  isBreakable: 2,
  /** Size of the messages that the main thread has queued and the socket thread has not sent yet. */
  waitingBytes: 3,
  /** 1 once the sockets are closed. */
  isClosed: 4,
  /** Number of signals that the socket thread has sent to this process. */
  signals: 5,
} as const;

/** The worker data of the socket thread. */
export interface SocketsData {
  readonly connection: Connection;
  /** The answer to kernel_info_request, as JSON. */
  readonly kernelInfo: string;
  readonly shared: SharedArrayBuffer;
}

/**
 * Messages to the socket thread. `ready` lets it answer kernel_info_request. `sync` is answered once all requests that have
 * arrived are forwarded. `close` comes last, and closes the sockets once everything is sent.
 */
export type ToSockets =
  | { readonly kind: 'send'; readonly message: Outgoing }
  | { readonly kind: 'ready' }
  | { readonly kind: 'close' }
  | { readonly kind: 'sync'; readonly id: number };

/** Messages from the socket thread to the main thread. */
export type FromSockets =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'sync'; readonly id: number }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'complaint'; readonly text: string }
  | { readonly kind: 'failure'; readonly text: string };
