import type { AlgorithmRow } from '../engine/conv-algorithm';
import type { Precision } from '../engine/hardware';
import type { SessionMode } from '../engine/session';
import type { EpochRow } from '../train/training';
import type { Experiment } from '../catalogue/experiment';
import type { Result } from '../runs/run';

/** How the steps of every run of a sweep are executed. With experiment and seed, this determines a result bit for bit. */
export interface JobEngine {
  readonly mode: SessionMode;
  readonly precision: Precision;
  /** Whether XLA compiles the steps. */
  readonly xla: boolean;
  /** Where TensorFlow computes on the machine that prepared the sweep. */
  readonly device: 'cpu' | 'gpu';
  /** Threads within an operation. Default: TensorFlow's choice, on a GPU, where the number does not change results. */
  readonly intraOpThreads?: number;
  readonly algorithms: readonly AlgorithmRow[];
}

/** Asks a worker how to execute runs: the precision, if none is requested, and the table of algorithms. */
export interface PrepareJob {
  readonly kind: 'prepare';
  /** At their scale, with their overrides. */
  readonly experiments: readonly Experiment[];
  readonly engine: Pick<JobEngine, 'mode' | 'xla' | 'intraOpThreads'> &
    Partial<Pick<JobEngine, 'precision'>>;
  readonly dataDir?: string;
}

/** Asks a worker to train an experiment. */
export interface RunJob {
  readonly kind: 'run';
  /** Unique within the sweep, as in `demo-smoke-0`. */
  readonly id: string;
  readonly experiment: Experiment;
  readonly seed: number;
  readonly engine: JobEngine;
  readonly dataDir?: string;
  /** The folder in which the run's folder is created. */
  readonly logDir: string;
  /** The folder of an unfinished run to resume, if possible. */
  readonly resume?: string;
  /** How many checkpoints the run keeps. Default: as in `train`. */
  readonly checkpoints?: number;
}

/** A request to a worker: a line of JSON on its standard input. When its standard input closes, it stops after its step. */
export type Job = PrepareJob | RunJob;

/** An event from a worker: a line of JSON on its standard output. */
export type JobEvent =
  | { readonly event: 'prepared'; readonly engine: JobEngine }
  | { readonly event: 'started'; readonly folder: string; readonly epochs: number }
  | {
      readonly event: 'progress';
      /** Progress of the whole run, between 0 and 1. */
      readonly done: number;
      readonly epoch: number;
      readonly epochs: number;
      readonly imagesPerSec: number;
      /** Accuracy in the epoch so far, between 0 and 1. */
      readonly acc: number;
      readonly leftSec: number;
    }
  | { readonly event: 'epoch'; readonly row: EpochRow }
  /** Something that the user should know, such as a run that could not be resumed. */
  | { readonly event: 'notice'; readonly message: string }
  | { readonly event: 'done'; readonly folder: string; readonly result: Result }
  /** Stopped on request. */
  | { readonly event: 'stopped'; readonly message: string }
  /** Would fail again in the same way: a loss that is NaN or infinite, a full disk, no data. */
  | { readonly event: 'failed'; readonly message: string };
