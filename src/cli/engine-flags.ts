import { UsageError } from '../base/errors';
import { precisions } from '../engine/hardware';
import type { SessionOptions } from '../engine/session';
import { oneOf } from './flags';
import type { Flag, Given } from './flags';

/** Flags for how steps are executed, read by {@link engineOf}. */
export const engineFlags: Readonly<Record<'precision' | 'eager' | 'xla', Flag>> = {
  precision: {
    value: 'P',
    help: 'auto (default): the fastest on this hardware; or fp32, bf16, fp16',
  },
  eager: { help: 'run kernel by kernel in fp32, as TF.js does, instead of the captured step' },
  xla: { help: 'compile the steps with XLA, for a GPU; results differ in the last bits' },
};

/**
 * How steps are executed according to the flags. `precision` is absent if the hardware decides.
 *
 * @throws UsageError if the flags contradict each other
 */
export function engineOf(
  given: Given,
): Required<Pick<SessionOptions, 'mode' | 'xla'>> & Pick<SessionOptions, 'precision'> {
  const [isEager, xla] = ['eager', 'xla'].map((name) => given.switches.has(name));
  const wanted = oneOf(given, 'precision', ['auto', ...precisions], isEager ? 'fp32' : 'auto');
  if (isEager && wanted !== 'fp32') {
    throw new UsageError(`--eager computes in fp32 only; leave out --precision ${wanted}.`);
  }
  if (isEager && xla) {
    throw new UsageError('--xla compiles the captured step; leave out --eager.');
  }
  return {
    mode: isEager ? 'eager' : 'captured',
    xla,
    ...(wanted === 'auto' ? {} : { precision: wanted }),
  };
}
