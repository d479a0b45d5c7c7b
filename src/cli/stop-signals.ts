import { InterruptedError } from '../base/errors';

/**
 * A signal that the first Ctrl-C (or SIGTERM) aborts, so that work can finish its step and save. A second one exits
 * immediately. `release` removes the handlers.
 *
 * @param say prints a message to the user without disrupting a live line: {@link Display.note}
 */
export function interruptSignal(say: (text: string) => void): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    say('Stopping after this step; press Ctrl-C again to stop immediately.');
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
