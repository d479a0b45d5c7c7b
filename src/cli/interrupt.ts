import { InterruptedError } from '../base/errors';

/**
 * A signal that the first Ctrl-C (or a polite kill) sets off, so that work can finish its step and save; a second one
 * ends the process at once. `release` puts things back as they were.
 */
export function interruptSignal(): { readonly signal: AbortSignal; readonly release: () => void } {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    process.stderr.write('\nStopping after this step; once more to stop at once.\n');
    controller.abort(new InterruptedError('Interrupted.'));
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
    },
  };
}
