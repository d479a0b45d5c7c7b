import type { Jitter } from '../augment/jitter';
import type { Scheme } from '../augment/plan';
import type { Transform } from '../augment/transform';
import type { HostVariables } from '../nn/network';
import type { SessionOptions } from '../engine/session';
import type { Session } from '../engine/step';
import type { Ema } from '../optim/ema';
import type { Lookahead } from '../optim/lookahead';
import type { HyperSchedule } from '../optim/hyper';
import type { Optimiser } from '../optim/optimiser';
import type { Progress } from '../text/progress';
import type { ResidentSplit, ResidentTables } from './batches';
import type { PaceChange } from './pace';
import type { FoldStep, Model, Totals } from './steps';
import type { Tta } from './test-time';
import type { Clock } from './timer';

/** Normalised images and their classes; `normaliseSplit` makes them from a split of CIFAR-10. */
export interface Examples {
  /** `[N,H,W,C]` in rows. */
  readonly images: Float32Array;
  /** `[N]`, integers from 0. */
  readonly labels: ArrayLike<number>;
}

/** The height and width of training images from a given epoch on. */
export interface SizeStage {
  /** Completed epochs at which the stage starts; 0 for the first. */
  readonly from: number;
  /** Pixels; images are resampled to this size after augmentation. */
  readonly size: number;
}

/** Everything that determines how a network is trained, as data. Hyperparameters that affect accuracy have no default. */
export interface Training extends Pick<
  HyperSchedule,
  'lr' | 'weightDecay' | 'momentum' | 'firstStep'
> {
  readonly model: Model;
  /** The training set; augmented. */
  readonly train: Examples;
  /** Evaluated after each epoch; never augmented. */
  readonly valid: Examples;
  /** `[H,W,C]` of the images; default: `[32,32,3]`. */
  readonly imageShape?: readonly [height: number, width: number, channels: number];
  /** Augmentation of training images: each kind at most once, in the order crop, flip, cutout. */
  readonly transforms?: readonly Transform[];
  /** Pixels of reflect padding available to a crop; default: 0. */
  readonly pad?: number;
  /** How the options of transforms are drawn; default: `per-example`. */
  readonly scheme?: Scheme;
  /** In scheme `groups`, the maximum number of options of a transform that one epoch uses; default: 200. */
  readonly maxOptions?: number;
  /** Random brightness and contrast of training images; default: none. */
  readonly jitter?: Jitter;
  /** Sizes of training images over the run, in order; default: no resampling. */
  readonly sizes?: readonly SizeStage[];
  /** Examples in a batch, an integer from 1. */
  readonly batchSize: number;
  /** Test images in a batch; default: `batchSize`. */
  readonly validBatchSize?: number;
  /** Drop the last batch of a training epoch if it is smaller; default: true. */
  readonly dropLast?: boolean;
  /** Length of the run. Of a fractional epoch, that fraction of its steps is trained, rounded up. */
  readonly epochs: number;
  /** The update rule, and groups of weights that override it. */
  readonly optimiser: Optimiser;
  /** A moving average of the weights, evaluated in place of the network. */
  readonly ema?: Ema;
  /** A moving average of the weights that the network is periodically set to. */
  readonly lookahead?: Lookahead;
  /** Test-time augmentation; default: none. */
  readonly tta?: Tta;
  /**
   * The number of first test images that are evaluated, without test-time augmentation, after every epoch but the last;
   * default: all of them, as after the last.
   */
  readonly midwayImages?: number;
  /** Determines initial weights, order and augmentation. */
  readonly seed: number;
  /** Replaces the initial values drawn from the seed, as whitening by the training images does; not in place. */
  readonly start?: (variables: HostVariables, train: Examples) => HostVariables;
  /** How steps are executed; default: captured in fp32. */
  readonly engine?: SessionOptions;
  /** Replaces the steps that train a batch, given the usual ones; default: backward, log, optimise. */
  readonly trainSteps?: (usual: UsualSteps) => readonly FoldStep[];
  /** The caller's own steps, run after all others on their result. */
  readonly extraSteps?: readonly FoldStep[];
  /** Initial values of the state that the caller's steps keep; steps and the session hold it as `extra`. */
  readonly extraState?: HostVariables;
}

/** The steps that train a batch, in this order. */
export interface UsualSteps {
  /** Computes outcome and gradients; see {@link backward}. */
  readonly backward: FoldStep;
  /** Adds the outcome to the totals; see {@link log}. */
  readonly log: FoldStep;
  /** Updates the weights; see {@link optimise}. */
  readonly optimise: FoldStep;
}

/** Means over the examples of an epoch, and the seconds that it took. */
export type Figures = {
  /** Seconds. */
  readonly time: number;
  readonly loss: number;
  /** Between 0 and 1. */
  readonly acc: number;
};

/** One row of the log. Training figures are measured during training, on augmented images. */
export type EpochRow = {
  /** Counts from 1. */
  readonly epoch: number;
  /** The schedule's value at the end of the epoch. */
  readonly lr: number;
  readonly train: Figures;
  readonly valid: Figures;
  /** Seconds of training so far, without evaluation. */
  readonly 'total time': number;
};

export type { Progress };

/** Callbacks of a run, and the signal that stops it. */
export interface Watch {
  /** Called about once a second; reading the figures from the device blocks the next step. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops the run after the current step. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** The state of a training session. */
export type TrainingState = {
  /** Weights and running statistics by path: `layer1/conv/weight`. */
  readonly network: HostVariables;
  /** The optimiser's velocities, one for each trainable tensor. */
  readonly velocity: HostVariables;
  /** The averaged network; empty without an average. */
  readonly ema: HostVariables;
  /** State of the caller's steps, see {@link Training.extraState}. */
  readonly extra: HostVariables;
  readonly totals: Totals;
  readonly train: ResidentSplit;
  readonly valid: ResidentSplit;
  readonly tables: ResidentTables;
  readonly validTables: ResidentTables;
};

/** The parts of a session that training changes, on the host. */
export type Learnt = Pick<TrainingState, 'network' | 'velocity' | 'ema' | 'extra'>;

/** The complete state of a training: another trainer resumes from it with bit-identical results. */
export interface Snapshot {
  /** Completed epochs. */
  readonly epoch: number;
  /** Seconds of training so far, including those of an unfinished epoch. */
  readonly totalSec: number;
  readonly learnt: Learnt;
  /** The next epoch, if it was stopped before its end. */
  readonly unfinished?: Unfinished;
  /** Changes of pace; absent if there were none. */
  readonly pace?: readonly PaceChange[];
}

/** The completed part of an epoch. */
export interface Unfinished {
  /** Completed training batches; all of them if the epoch was stopped during validation. */
  readonly batches: number;
  /** Seconds of training that they took. */
  readonly timeSec: number;
  /** Sums over them. */
  readonly totals: Totals;
}

/** How test images are evaluated; each field defaults to the setting of the training. */
export interface Evaluation {
  /** Whether to evaluate the averaged network instead of the trained one. */
  readonly usesEma?: boolean;
  readonly tta?: Tta;
  /** Evaluates only this many of the first images; default: all. */
  readonly images?: number;
}

/** What {@link Trainer.warmUp} measures, all in seconds. */
export interface WarmUp {
  /** One epoch including its validation; a mean over the image sizes of the run. */
  readonly epochSec: number;
  /** One step of training. */
  readonly trainStepSec: number;
  /** One step of validation. */
  readonly validStepSec: number;
  /** The evaluation after the last epoch. */
  readonly evaluationSec: number;
  /** The evaluation after every other epoch. */
  readonly midwaySec: number;
}

/** Floating-point operations of a run, as counted by the engine's `countFlops`. */
export interface RunFlops {
  /** All steps of training. */
  readonly train: number;
  /** The evaluation after the last epoch. */
  readonly evaluation: number;
}

/** Trains a network epoch by epoch in its session. */
export interface Trainer {
  /** Reads and writes the training state, and captures further steps on it. */
  readonly session: Session<TrainingState>;
  /** Training steps in a whole epoch, one per batch. */
  readonly stepsPerEpoch: number;
  /** Training steps of the whole run. */
  readonly steps: number;
  /** `steps` in epochs; can be fractional. */
  readonly epochs: number;
  /** The maximum number of steps that one TensorFlow call runs, see {@link SessionOptions.stepsPerCall}. */
  readonly stepsPerCall: number;
  /**
   * Runs each kind of call two or three times and restores the state. The first call is slower than the rest; the others
   * predict the seconds per epoch. Optional; call it between epochs.
   */
  warmUp(): Promise<WarmUp>;
  /**
   * Trains for one epoch, counted from 1, then evaluates. An epoch that the signal stopped, in this trainer or in the
   * saved one, resumes where it stopped.
   *
   * @param onCall called after each call of training steps; may change the length of the run, also of this epoch
   * @throws TrainError if the run has no such epoch
   */
  runEpoch(epoch: number, onCall?: () => void): Promise<EpochRow>;
  /**
   * Makes the run end after `steps` steps by compressing or stretching the rest of its schedule. Call it between epochs, or
   * between calls of {@link Trainer.runEpoch}.
   *
   * @throws TrainError if that many steps are already done, or if all steps of the run are
   */
  endAfter(steps: number): void;
  /**
   * Makes the remaining training take `seconds` seconds, excluding evaluation, judging by the time of the steps so far. Does
   * nothing if all steps of the run are done.
   *
   * @throws TrainError before the first {@link Trainer.warmUp}
   */
  endIn(seconds: number): void;
  /**
   * Predicted seconds of the training steps of an epoch, counted from 1, from the warm-up and the steps since; epochs with
   * larger images take longer. NaN before the first {@link Trainer.warmUp}.
   */
  trainSecOf(epoch: number): number;
  /** Reads the state of the training, after an epoch or after the signal stopped one. */
  save(): Promise<Snapshot>;
  /**
   * Resumes from a snapshot of a trainer of the same training. The following epochs, and the rest of an unfinished one, are
   * bit-identical to those of the other trainer.
   *
   * @throws TrainError if a tensor is missing, CaptureError if one does not belong to this training or has another shape
   */
  restore(snapshot: Snapshot): Promise<void>;
  /**
   * Starts again with the initial weights, order and augmentation of another seed: the same result as a new trainer, without
   * compiling again.
   *
   * @param examples replace the current ones; the number of each must be the same
   * @throws TrainError if their number differs
   */
  restart(seed: number, examples?: Pick<Training, 'train' | 'valid'>): void;
  /**
   * Evaluates on the test images, by default as {@link Trainer.runEpoch} does after the last epoch. Changes neither weights
   * nor running statistics; its seconds count for no epoch.
   *
   * @throws TrainError if the average is requested but none is kept, or if the loss is NaN or infinite
   */
  evaluate(how?: Evaluation): Promise<Figures>;
  /**
   * Floating-point operations of the whole run, counted in the graphs of its steps. Captures steps that have not run yet.
   *
   * @throws TrainError in eager mode, which records no graph
   */
  flops(): RunFlops;
  /** Frees the session and everything it holds on the device. */
  dispose(): void;
}
