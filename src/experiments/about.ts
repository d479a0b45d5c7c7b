import type { AlgorithmRow } from '../engine/algorithms';
import { fastestPrecision, readHardware } from '../engine/hardware';
import type { Hardware, Precision } from '../engine/hardware';
import type { SessionMode, SessionOptions } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import type { Experiment, Scale } from './record';

/** What is to be run, and on what: known before anything is put on the device. */
export interface RunPlan {
  /** The record's name, and the size that it was made in. */
  readonly record: string;
  readonly scale: Scale;
  readonly seed: number;
  /** When the run was begun, as in `2026-11-23T14:50:02.113Z`. */
  readonly started: string;
  readonly mode: SessionMode;
  readonly precision: Precision;
  /** Threads within one operation; the last bits of results depend on it. */
  readonly intraOpThreads: number;
  /** The record as it is trained, everything in it. */
  readonly experiment: Experiment;
  readonly versions: { readonly node: string; readonly tensorflow: string };
  readonly hardware: Hardware;
}

/** Everything that decides a run, and what it runs on: the beginning of its `run.json`. */
export interface RunAbout extends RunPlan {
  /** Chosen by measuring; given to another run as `engine.algorithms`, they are not measured again. */
  readonly algorithms: readonly AlgorithmRow[];
}

/**
 * Describes a run that is to begin here and now.
 *
 * The precision is what this hardware computes fastest in, where `engine` names none: fp32 in an eager session.
 *
 * @throws EngineError if TensorFlow does not load, or runs with another number of threads in this process already
 */
export function describeRun(
  experiment: Experiment,
  seed: number,
  { mode = 'captured', precision, ...threads }: SessionOptions = {},
): RunPlan {
  const tensorflow = loadTensorflow(threads);
  const hardware = readHardware();
  const fastest = mode === 'eager' ? 'fp32' : fastestPrecision(hardware, tensorflow.gpu);
  return {
    record: experiment.name,
    scale: experiment.scale ?? 'full',
    seed,
    started: new Date().toISOString(),
    mode,
    precision: precision ?? fastest,
    intraOpThreads: tensorflow.intraOpThreads,
    experiment,
    versions: { node: process.versions.node, tensorflow: tensorflow.version },
    hardware,
  };
}
