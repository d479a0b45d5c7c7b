import type { AlgorithmRow } from '../engine/conv-algorithm';
import type { Precision } from '../engine/hardware';
import type { SessionMode } from '../engine/session';
import type { EpochRow } from '../train/training';
import type { Experiment } from '../catalogue/experiment';
import type { Result } from '../runs/run';

/** How the steps of every run of a sweep are executed: all that decides the bits of a result beside record and seed. */
export interface JobEngine {
  readonly mode: SessionMode;
  readonly precision: Precision;
  /** Whether XLA compiles the steps. */
  readonly xla: boolean;
  /** Within an operation. Default: TensorFlow's choice, on a GPU, where it changes no result. */
  readonly intraOpThreads?: number;
  readonly algorithms: readonly AlgorithmRow[];
}

/** Asks a worker how runs are to be executed: the precision, where none is asked for, and the table of algorithms. */
export interface PrepareJob {
  readonly kind: 'prepare';
  /** At their scale, with their overrides. */
  readonly experiments: readonly Experiment[];
  readonly engine: Pick<JobEngine, 'mode' | 'xla' | 'intraOpThreads'> &
    Partial<Pick<JobEngine, 'precision'>>;
  readonly dataDir?: string;
}

/** Asks a worker to train a record. */
export interface RunJob {
  readonly kind: 'run';
  /** Tells it from the other jobs of its sweep, as in `demo-smoke-0`. */
  readonly id: string;
  readonly experiment: Experiment;
  readonly seed: number;
  readonly engine: JobEngine;
  readonly dataDir?: string;
  /** The folder that the run's folder is made in. */
  readonly logDir: string;
  /** The folder of an unfinished run to resume, if possible. */
  readonly resume?: string;
  /** How many checkpoints the run keeps. Default: as `train`. */
  readonly checkpoints?: number;
}

/** What a worker is told, as one line of JSON on its standard input; when that ends, it stops after its step. */
export type Job = PrepareJob | RunJob;

/** What a worker tells, each as one line of JSON on its standard output. */
export type JobEvent =
  | { readonly event: 'prepared'; readonly engine: JobEngine }
  | { readonly event: 'started'; readonly folder: string; readonly epochs: number }
  | {
      readonly event: 'progress';
      /** Of the whole run, between 0 and 1. */
      readonly done: number;
      readonly epoch: number;
      readonly epochs: number;
      readonly imagesPerSec: number;
      /** Between 0 and 1, as far as the epoch has come. */
      readonly acc: number;
      readonly leftSec: number;
    }
  | { readonly event: 'epoch'; readonly row: EpochRow }
  | { readonly event: 'done'; readonly folder: string; readonly result: Result }
  /** Stopped on request. */
  | { readonly event: 'stopped'; readonly message: string }
  /** Will fail again in the same way: a loss that is no number, a full disk, no data. */
  | { readonly event: 'failed'; readonly message: string };
