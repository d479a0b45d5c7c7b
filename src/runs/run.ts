import { createHash } from 'node:crypto';
import { RunError } from '../base/errors';
import { version } from '../base/version';
import { catalogue } from '../catalogue/catalogue';
import type { Experiment, Published, Scale } from '../catalogue/experiment';
import type { Cifar10 } from '../data/cifar10';
import type { AlgorithmRow } from '../engine/conv-algorithm';
import { fastestPrecision, hardwareLine, readHardware } from '../engine/hardware';
import type { Hardware, Precision } from '../engine/hardware';
import type { SessionMode, SessionOptions } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import type { EpochRow, Learnt } from '../train/training';
import type { KeptCheckpoints } from './checkpoint';
import { checkFeasible } from './feasible';
import type { Load } from './load';
import { runChanges } from './run-changes';

/**
 * One run of an experiment: its plan and, as it proceeds, its results.
 *
 * Training, the folder of a run, a file of `results/`, reports and sweeps all use this type. The first group of fields is
 * always present. The second determines the result bit for bit; a file of `results/` does not store it. The third is filled
 * as the run proceeds.
 */
export interface Run {
  /** The experiment's name in the catalogue; `record` in files. */
  readonly name: string;
  readonly scale: Scale;
  readonly seed: number;
  /** Changes to the experiment, each as `path=value`. */
  readonly overrides: readonly string[];
  readonly mode: SessionMode;
  readonly precision: Precision;
  /** Whether XLA compiles the steps. */
  readonly xla: boolean;
  /** A time as in `2026-11-23T14:50:02.113Z`, or a day. */
  readonly started: string;
  /** As in `AMD EPYC, 2 cores, AVX-512 BF16, 24 GB`. */
  readonly machine: string;

  /** The experiment as trained: at its scale, with its overrides. */
  readonly experiment?: Experiment;
  /** Threads within one operation; the last bits of results depend on it. */
  readonly threads?: number;
  /** Where TensorFlow computes. */
  readonly device?: 'cpu' | 'gpu';
  /** Hash of the images and labels that it is trained and evaluated on. */
  readonly dataSha256?: string;
  readonly versions?: Versions;
  readonly hardware?: Hardware;
  /** The environment variables that are set and affect what TensorFlow and its libraries compute. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Measured algorithm choices; a run that gets them as `engine.algorithms` does not measure again. */
  readonly algorithms?: readonly AlgorithmRow[];

  /** The run's folder, or the file of `results/`; absent if nothing is stored on disk. */
  readonly path?: string;
  /**
   * `dawnbench`: seconds count from before preprocessing, see `trainDawnbench`. Default: from the first step, without preprocessing.
   */
  readonly timer?: 'dawnbench';
  /** Finished epochs. */
  readonly rows: readonly EpochRow[];
  /** Seconds of normalisation; the scripts of the study count them as training time. */
  readonly preprocessSec?: number;
  readonly resumed?: readonly Resumption[];
  /** The finished run that this one trains further. */
  readonly continues?: Continuation;
  /** The number of newest checkpoints to keep, or all. */
  readonly checkpoints?: KeptCheckpoints;
  /** The time that the run may take. */
  readonly budget?: Budget;
  /** How busy the processors were while it trained; see `isTimed`. */
  readonly load?: Load;
  /** For a stored result without `load`: nothing else ran on the machine. */
  readonly alone?: true;
  /** Present once the run is finished. */
  readonly result?: Result;
  /** Present if the run diverged before its end. */
  readonly failure?: Failure;
  /** The trained state, by path; the network's graph is `networkOf(run.experiment)`. On disk it is in the checkpoints. */
  readonly state?: Learnt;
}

/** A run with every field that determines its result, so it can be trained or resumed. */
export type PlannedRun = Run &
  Required<
    Pick<
      Run,
      'experiment' | 'threads' | 'device' | 'dataSha256' | 'versions' | 'hardware' | 'environment'
    >
  >;

/** A run that was trained to its end, with its trained state. */
export type FinishedRun = PlannedRun &
  Required<Pick<Run, 'algorithms' | 'preprocessSec' | 'result' | 'state'>>;

/** Versions on which results depend. */
export interface Versions {
  readonly 'cifar10-fast'?: string;
  readonly node: string;
  readonly tensorflow: string;
}

/** When and from where a run was resumed. */
export interface Resumption {
  /** As in {@link Run.started}. */
  readonly at: string;
  /** Finished epochs, and finished batches of the next one. */
  readonly epoch: number;
  readonly batches: number;
  /** Changes since the start that affect results, a phrase each; see `ResumeOptions.isInexact`. */
  readonly differences?: readonly string[];
}

/** The finished run that another one trains further, see `extendRun`. */
export interface Continuation {
  /** Its folder. */
  readonly run: string;
  /** Its epochs, with which the log starts, and its test accuracy. */
  readonly epochs: number;
  readonly accPercent: number;
  /** Changes since then that affect results, a phrase each. */
  readonly differences?: readonly string[];
}

/** The time that a run may take, from its start to the end of its last evaluation. */
export interface Budget {
  readonly seconds: number;
  /** Seconds spent so far on other things than epochs: reading data, putting it on the device, measuring. */
  readonly spentSec: number;
}

/** Where a run diverged: its loss or a weight became NaN or infinite. */
export interface Failure {
  readonly epoch: number;
  /** The first step of that epoch with such a loss, from 1; absent if it was found in validation or in a weight. */
  readonly step?: number;
  readonly message: string;
}

/** The result of a finished run. */
export interface Result {
  /** Finished epochs; absent in a file of `results/`. */
  readonly epochs?: number;
  /** Test accuracy after the last epoch. */
  readonly accPercent: number;
  /** Absent in a file of `results/`. */
  readonly loss?: number;
  /** Seconds of training, without validation and preprocessing. */
  readonly trainSec: number;
  /** Training images per second of training time. */
  readonly imagesPerSec: number;
  /** Seconds of the evaluation after the last epoch. */
  readonly evaluationSec?: number;
  /**
   * Floating-point operations, in units of 10^15, of all training steps and of the evaluation after the last epoch, as counted
   * by `countFlops`; absent if the steps were not captured.
   */
  readonly pflop?: number;
  /** The same network evaluated on each test image and its mirror image, if the experiment sets `run.finalTta`. */
  readonly tta?: { readonly accPercent: number; readonly loss: number };
  /** The epoch in which the run diverged, if the experiment allows that; the result is that of the epoch before. */
  readonly divergedIn?: number;
}

/** Environment variables that affect results: kernels, compilers and number formats. */
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
 * Adds the precision to session options; default: the fastest of this hardware (fp32 in an eager session).
 *
 * @throws EngineError if TensorFlow does not load, or already runs with another number of threads in this process
 */
export function inFastestPrecision(
  engine: SessionOptions = {},
): SessionOptions & { readonly precision: Precision } {
  const { gpu } = loadTensorflow(engine);
  const precision = engine.mode === 'eager' ? 'fp32' : fastestPrecision(readHardware(), gpu);
  return { precision, ...engine };
}

/** Options of a run's session: those that its folder keeps, so that a resumed run is executed in the same way. */
export type RunEngine = Omit<SessionOptions, 'stepsPerCall' | 'xlaScope'>;

/** @throws RunError if an option is set that the folder of a run does not keep */
export function checkRunEngine(engine: SessionOptions): void {
  for (const name of ['stepsPerCall', 'xlaScope'] as const) {
    if (engine[name] === undefined) continue;
    throw new RunError(
      `run: engine.${name} is not kept with a run, so a resumed one would be executed differently. Leave it out, or use ` +
        'createTrainer, which takes it.',
    );
  }
}

/**
 * Plans a run on this machine, in the precision of {@link inFastestPrecision}.
 *
 * @throws EngineError if TensorFlow does not load, or already runs with another number of threads in this process
 * @throws RunError if the experiment does not fit the machine, see {@link checkFeasible}
 */
export function planRun(
  experiment: Experiment,
  data: Cifar10,
  seed: number,
  engine?: SessionOptions,
): PlannedRun {
  checkFeasible(experiment, data);
  const { mode = 'captured', precision, xla = false, ...threads } = inFastestPrecision(engine);
  const tensorflow = loadTensorflow(threads);
  const hardware = readHardware();
  return {
    name: experiment.name,
    scale: experiment.scale ?? 'full',
    seed,
    overrides: experiment.overrides ?? [],
    mode,
    precision,
    xla,
    started: new Date().toISOString(),
    machine: hardwareLine(hardware),
    experiment,
    threads: tensorflow.intraOpThreads,
    device: tensorflow.gpu ? 'gpu' : 'cpu',
    dataSha256: fingerprint(experiment, data),
    versions: {
      'cifar10-fast': version,
      node: process.versions.node,
      tensorflow: tensorflow.version,
    },
    hardware,
    environment: Object.fromEntries(
      settings.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
    rows: [],
  };
}

/**
 * Plans the rest of a stored run, or more epochs after its end: reuses its seed, threads, precision and algorithms, and adds to
 * its seconds. Its load is that of the checkpoint.
 *
 * @throws EngineError, RunError as {@link planRun}
 */
export function planAfter(before: PlannedRun, experiment: Experiment, data: Cifar10): PlannedRun {
  const { seed, mode, precision, xla, threads, algorithms = [] } = before;
  const { preprocessSec, timer } = before;
  return {
    ...planRun(experiment, data, seed, { mode, precision, xla, intraOpThreads: threads }),
    algorithms,
    ...(preprocessSec === undefined ? {} : { preprocessSec }),
    ...(timer === undefined ? {} : { timer }),
  };
}

/**
 * A warning if the processor has no instructions for a run's precision, which makes it slow; else nothing.
 *
 * On a GPU there is no warning.
 */
export function slowPrecision({
  device,
  precision,
  hardware,
}: Pick<PlannedRun, 'device' | 'precision' | 'hardware'>): string[] {
  if (device === 'gpu' || precision === 'fp32') return [];
  const fastest = fastestPrecision(hardware, false);
  if (precision === fastest) return [];
  return [
    `${precision} is slow on this processor, which has no instructions for it that TensorFlow uses: training can take ` +
      `${precision === 'bf16' ? 'twice' : 'many times'} as long as in ${fastest}. Leave out --precision to train in ${fastest}.`,
  ];
}

/**
 * The catalogue's published figures for a run; undefined if the experiment was changed, also by a time budget, or is unknown.
 */
export function publishedOf(run: Run): Published | undefined {
  const { name, experiment } = run;
  const isChanged =
    runChanges(run).length > 0 || (experiment !== undefined && experiment.published === undefined);
  return isChanged ? undefined : catalogue.get(name)?.published;
}

/**
 * Lists changes between two plans of one run that affect results, a phrase each: `TensorFlow is 2.22.0, was 2.21.0`.
 * Without differences, both give the same rows and the same network.
 */
export function differences(was: PlannedRun, is: PlannedRun): string[] {
  const of = (run: PlannedRun): Readonly<Record<string, string | undefined>> => ({
    'cifar10-fast': run.versions['cifar10-fast'],
    TensorFlow: run.versions.tensorflow,
    'the processor': run.hardware.cpu,
    'its instructions': run.hardware.cpuFlags.join(' '),
    'the device': run.device,
    'the GPU': run.device === 'gpu' ? run.hardware.gpus.map(({ name }) => name).join(', ') : '',
    'the data': run.dataSha256,
    ...run.environment,
  });
  const [before, now] = [of(was), of(is)];
  const shown = (value: string | undefined): string => (value ? value : 'nothing');
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name} is ${shown(now[name])}, was ${shown(before[name])}`);
}

/** A hash of a run's configuration. Two runs with the same hash differ at most in {@link differences} and in when they ran. */
export function configOf({
  experiment,
  seed,
  mode,
  precision,
  xla,
  threads: intraOpThreads,
}: PlannedRun): string {
  const text = JSON.stringify({ experiment, seed, mode, precision, xla, intraOpThreads });
  return createHash('sha256').update(text).digest('hex');
}

/** The SHA-256 of an experiment's examples: pixels and labels of the training images, then those of the test images. */
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
