import type { HostTensor } from '../base/host-tensor';
import type { Tree } from '../base/tree';
import { createAlgorithms } from './algorithms';
import type { AlgorithmRow } from './conv-algorithm';
import { createCapturedSession } from './captured-session';
import { createEagerSession } from './eager-session';
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
  /** Number format of convolutions, matrix products and what lies between them; an eager session has fp32 only. */
  readonly precision?: Precision;
  /** Choices of algorithms made before, as a session's `algorithms` tells them; what they hold is not measured anew. */
  readonly algorithms?: readonly AlgorithmRow[];
  /**
   * Lets XLA compile what it can of captured steps, when they first run. Off where absent: on the processors that were
   * measured it makes training slower, as oneDNN's operations are faster than what XLA makes of them.
   */
  readonly xla?: boolean;
  /**
   * What XLA compiles: each step as one program, of which nothing is left to other kernels, or the regions that it can.
   * Where absent, the step on a GPU and regions on a processor, whose own convolutions stay outside of them.
   */
  readonly xlaScope?: 'step' | 'regions';
  /**
   * How many training steps a trainer puts into one call; on a GPU all of an epoch where absent, else one. Progress is
   * told and a signal acted upon between two calls.
   */
  readonly stepsPerCall?: number;
}

/**
 * Opens a session on `initial`: nested records of host tensors, copied to the device.
 *
 * @throws EngineError if TensorFlow does not load, or runs with another number of threads in this process already
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
  const { gpu } = loadTensorflow(threads);
  const isCompiled = xla && (xlaScope ?? (gpu ? 'step' : 'regions')) === 'step';
  return mode === 'eager'
    ? createEagerSession(initial)
    : createCapturedSession(initial, precision, createAlgorithms(algorithms, !isCompiled), {
        xla: xla && !isCompiled,
        isCompiled,
      });
}
