import { EngineError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import type { Tree } from '../base/tree';
import { createAlgorithms } from './algorithms';
import type { AlgorithmRow } from './conv-algorithm';
import { createCapturedSession } from './captured-session';
import { createEagerSession } from './eager-session';
import { precisions } from './hardware';
import type { Precision } from './hardware';
import type { Session, SessionMode } from './step';
import { loadTensorflow } from './tensorflow';
import type { ThreadOptions } from './tensorflow';

export type {
  Feed,
  NamedValue,
  OnDevice,
  OnHost,
  Part,
  Recording,
  Run,
  Session,
  SessionMode,
  Step,
  StepResult,
} from './step';

/** How a session executes its steps. */
export interface SessionOptions extends ThreadOptions {
  readonly mode?: SessionMode;
  /** Number format of convolutions, matrix products and what lies between them. Default: fp32, the only one in eager mode. */
  readonly precision?: Precision;
  /** Algorithm choices of an earlier session, from its `algorithms`; what they contain is not measured again. */
  readonly algorithms?: readonly AlgorithmRow[];
  /**
   * Whether XLA compiles captured steps at their first run, as far as it supports them. Default: false, as training was
   * slower on the processors that were measured: oneDNN's operations are faster than XLA's code.
   */
  readonly xla?: boolean;
  /**
   * What XLA compiles: each step as one program, without any other kernels, or the regions that it supports. Default:
   * `step` on a GPU; `regions` on a CPU, where our own convolutions stay outside the regions.
   */
  readonly xlaScope?: 'step' | 'regions';
  /**
   * How many training steps a trainer puts into one call. Default: all steps of an epoch on a GPU, else one. Progress is
   * reported and signals are handled between two calls.
   */
  readonly stepsPerCall?: number;
}

/**
 * Opens a session with the state `initial`, a tree of host tensors, which is copied to the device.
 *
 * @throws EngineError if TensorFlow does not load, or already runs with another number of threads in this process; or for an
 *   unknown mode or precision
 * @throws CaptureError later, if a step cannot be recorded, or returns a part of the state that does not exist or has another
 *   shape
 */
export function createSession<S extends Tree<HostTensor>>(
  initial: S,
  {
    mode = 'captured',
    precision = 'fp32',
    algorithms,
    xla = false,
    xlaScope,
    stepsPerCall: _stepsPerCall,
    ...threads
  }: SessionOptions = {},
): Session<S> {
  checkName('mode', mode, ['captured', 'eager']);
  checkName('precision', precision, precisions);
  const { gpu } = loadTensorflow(threads);
  const isCompiled = xla && (xlaScope ?? (gpu ? 'step' : 'regions')) === 'step';
  return mode === 'eager'
    ? createEagerSession(initial)
    : createCapturedSession(initial, precision, createAlgorithms(algorithms, !isCompiled), {
        xla: xla && !isCompiled,
        isCompiled,
      });
}

/** @throws EngineError unless `value` is one of `known` */
function checkName(option: string, value: string, known: readonly string[]): void {
  if (known.includes(value)) return;
  throw new EngineError(`session: ${option} must be ${known.join(' or ')}; got "${value}".`);
}
