import { InterruptedError } from '../base/errors';

/**
 * A signal that the first Ctrl-C (or a polite kill) sets off, so that work can finish its step and save; a second one
 * ends the process at once. `release` puts things back as they were.
 *
 * @param say tells the user what happens, without tearing a live line: {@link Display.note}
 */
export function interruptSignal(say: (text: string) => void): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(130);
    say('Stopping after this step; once more to stop at once.');
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
