import { createHash } from 'node:crypto';
import { version } from '../base/version';
import type { Cifar10 } from '../data/cifar10';
import type { AlgorithmRow } from '../engine/conv-algorithm';
import { fastestPrecision, readHardware } from '../engine/hardware';
import type { Hardware, Precision } from '../engine/hardware';
import type { SessionMode, SessionOptions } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import type { Experiment, Scale } from '../catalogue/experiment';

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
  /** Whether XLA compiles the steps. */
  readonly xla: boolean;
  /** Threads within one operation; the last bits of results depend on it. */
  readonly intraOpThreads: number;
  /** Where TensorFlow computes. */
  readonly device: 'cpu' | 'gpu';
  /** The record as it is trained, everything in it. */
  readonly experiment: Experiment;
  /** Of the images and labels that it is trained and evaluated on. */
  readonly dataSha256: string;
  readonly versions: {
    readonly 'cifar10-fast': string;
    readonly node: string;
    readonly tensorflow: string;
  };
  readonly hardware: Hardware;
  /** Settings of TensorFlow and its libraries that were made in the environment, and that results depend on. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Everything that decides a run, and what it runs on: the beginning of its `run.json`. */
export interface RunAbout extends RunPlan {
  /** Chosen by measuring; given to another run as `engine.algorithms`, they are not measured again. */
  readonly algorithms: readonly AlgorithmRow[];
}

/** Settings by which the same graph comes to other bits: kernels, compilers and number formats. */
const settings = [
  'TF_ENABLE_ONEDNN_OPTS',
  'TF_SET_ONEDNN_FPMATH_MODE',
  'ONEDNN_DEFAULT_FPMATH_MODE',
  'ONEDNN_MAX_CPU_ISA',
  'DNNL_DEFAULT_FPMATH_MODE',
  'DNNL_MAX_CPU_ISA',
  'TF_XLA_FLAGS',
  'XLA_FLAGS',
  'TF_CUDNN_USE_AUTOTUNE',
  'TF_CUDNN_DETERMINISTIC',
  'TF_DETERMINISTIC_OPS',
  'NVIDIA_TF32_OVERRIDE',
];

/**
 * The session with a precision where it names none: what this hardware computes fastest in, fp32 in an eager session.
 *
 * @throws EngineError if TensorFlow does not load, or runs with another number of threads in this process already
 */
export function inFastestPrecision(
  engine: SessionOptions = {},
): SessionOptions & { readonly precision: Precision } {
  const { gpu } = loadTensorflow(engine);
  const precision = engine.mode === 'eager' ? 'fp32' : fastestPrecision(readHardware(), gpu);
  return { precision, ...engine };
}

/**
 * Describes a run that is to begin here and now, in the precision of {@link inFastestPrecision}.
 *
 * @throws EngineError if TensorFlow does not load, or runs with another number of threads in this process already
 */
export function describeRun(
  experiment: Experiment,
  data: Cifar10,
  seed: number,
  engine?: SessionOptions,
): RunPlan {
  const { mode = 'captured', precision, xla = false, ...threads } = inFastestPrecision(engine);
  const tensorflow = loadTensorflow(threads);
  return {
    record: experiment.name,
    scale: experiment.scale ?? 'full',
    seed,
    started: new Date().toISOString(),
    mode,
    precision,
    xla,
    intraOpThreads: tensorflow.intraOpThreads,
    device: tensorflow.gpu ? 'gpu' : 'cpu',
    experiment,
    dataSha256: fingerprint(experiment, data),
    versions: {
      'cifar10-fast': version,
      node: process.versions.node,
      tensorflow: tensorflow.version,
    },
    hardware: readHardware(),
    environment: Object.fromEntries(
      settings.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
}

/**
 * What is not as it was, of all that the bits of a result depend on, a phrase each: `TensorFlow is 2.22.0, was 2.21.0`.
 * Two runs of which nothing is said give the same rows and the same network.
 */
export function differences(was: RunPlan, is: RunPlan): string[] {
  const of = (plan: RunPlan): Readonly<Record<string, string>> => ({
    'cifar10-fast': plan.versions['cifar10-fast'],
    TensorFlow: plan.versions.tensorflow,
    'the processor': plan.hardware.cpu,
    'its instructions': plan.hardware.cpuFlags.join(' '),
    'the device': plan.device,
    'the GPU': plan.device === 'gpu' ? plan.hardware.gpus.map(({ name }) => name).join(', ') : '',
    'the data': plan.dataSha256,
    ...plan.environment,
  });
  const [before, now] = [of(was), of(is)];
  const said = (value: string | undefined): string => (value ? value : 'nothing');
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name} is ${said(now[name])}, was ${said(before[name])}`);
}

/** Names what a run computes: two runs of one name differ only in what {@link differences} tells, and in when they ran. */
export function configOf(plan: RunPlan): string {
  const { experiment, seed, mode, precision, xla, intraOpThreads } = plan;
  const text = JSON.stringify({ experiment, seed, mode, precision, xla, intraOpThreads });
  return createHash('sha256').update(text).digest('hex');
}

/** The SHA-256 of the examples that a record uses: pixels and labels of training, then those of validation. */
function fingerprint({ data: { subset } }: Experiment, { train, valid }: Cifar10): string {
  const hash = createHash('sha256');
  for (const [{ images, labels }, count = labels.length] of [
    [train, subset?.train],
    [valid, subset?.valid],
  ] as const) {
    hash.update(images.subarray(0, (count * images.length) / labels.length));
    hash.update(Uint8Array.from(labels.subarray(0, count)));
  }
  return hash.digest('hex');
}
