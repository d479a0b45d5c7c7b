import { InterruptedError } from './errors';
import { kernelHost } from './kernel-host';

const slot = Symbol.for('cifar10-fast.interrupt');

/**
 * The signal that aborts when the user interrupts: with the stop button of a notebook or Ctrl-C in a terminal.
 *
 * In our Jupyter kernel the signal belongs to the calling cell and stays the same while that cell's work runs, so
 * interrupted work stays interrupted. Elsewhere (stock tslab, a program) the process has one signal: the first Ctrl-C
 * aborts it and a second one ends the program; a call after the first returns a new signal. Its `reason` is an
 * `InterruptedError`.
 *
 * Native calls cannot be interrupted: check `aborted` between steps, or pass the signal to a function that takes one.
 *
 * @example
 * const signal = interruptSignal();
 * signal.aborted; // → false
 */
export function interruptSignal(): AbortSignal {
  return kernelHost()?.interruptSignal() ?? processSignal();
}

const shown = Symbol.for('cifar10-fast.shown');

/** Marks an error whose message the cell already shows, so that our kernel prints no traceback for it. Returns the error. */
export function markShown(error: Error): Error {
  return Object.assign(error, { [shown]: true });
}

/** Whether an error was marked by {@link markShown}, in whichever copy of the library. */
export function isShown(error: unknown): boolean {
  try {
    return error instanceof Error && (error as { readonly [shown]?: boolean })[shown] === true;
  } catch {
    // A thrown value can itself throw when inspected, as a revoked proxy does.
    return false;
  }
}

function processSignal(): AbortSignal {
  const shared = globalThis as { [slot]?: AbortController };
  const pending = shared[slot];
  if (pending !== undefined) return pending.signal;
  const controller = new AbortController();
  shared[slot] = controller;
  const stop = (): void => {
    delete shared[slot];
    controller.abort(new InterruptedError('Interrupted.'));
  };
  // Deferred: a listener added in the synchronous part of a cell makes the next Ctrl-C kill stock tslab.
  setImmediate(() => process.once('SIGINT', stop));
  return controller.signal;
}
