import { InterruptedError } from './errors';
import { kernelHost } from './kernel-host';

const slot = Symbol.for('cifar10-fast.interrupt');

/**
 * The signal that is aborted when the user stops what runs: the stop button of a notebook, Ctrl-C on a terminal.
 *
 * In our Jupyter kernel it belongs to the cell that asks for it, and stays the same for as long as that cell's work goes
 * on, so work that was stopped stays stopped. Elsewhere (stock tslab, a program) it is one for the process: the first
 * Ctrl-C aborts it and a second one ends the program; asked again after that, there is a new one. Its `reason` is an
 * `InterruptedError`.
 *
 * Native calls cannot be broken off: look at `aborted` between steps, or pass the signal to what takes one.
 *
 * @example
 * const signal = interruptSignal();
 * signal.aborted; // → false
 */
export function interruptSignal(): AbortSignal {
  return kernelHost()?.interruptSignal() ?? processSignal();
}

const shown = Symbol.for('cifar10-fast.shown');

/** Marks an error whose message the cell has shown already; our kernel then prints no traceback of it. Returns the error. */
export function markShown(error: Error): Error {
  return Object.assign(error, { [shown]: true });
}

/** Whether an error was marked by {@link markShown}, in whichever copy of the library. */
export function isShown(error: unknown): boolean {
  try {
    return error instanceof Error && (error as { readonly [shown]?: boolean })[shown] === true;
  } catch {
    // Whatever is thrown may throw when it is looked at, as a revoked proxy does.
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
  // Not at once: a listener that is added in the synchronous part of a cell makes the next Ctrl-C kill stock tslab.
  setImmediate(() => process.once('SIGINT', stop));
  return controller.signal;
}
