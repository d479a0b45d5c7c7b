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

/** The height and width of training images from some epoch on. */
export interface SizeStage {
  /** Epochs that are over when it begins; 0 for the first. */
  readonly from: number;
  /** Pixels; images are resampled to it after they are augmented. */
  readonly size: number;
}

/** Everything that decides how a network is trained, as data. Numbers that decide how well it does have no default. */
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
  /** Pixels of reflect padding that a crop can use; default: 0. */
  readonly pad?: number;
  /** How the options of transforms are drawn; default: `per-example`. */
  readonly scheme?: Scheme;
  /** In scheme `groups`, how many options of a transform one epoch uses at most; default: 200. */
  readonly maxOptions?: number;
  /** Random brightness and contrast of training images; default: none. */
  readonly jitter?: Jitter;
  /** Sizes of training images over the run, in order; default: as they are. */
  readonly sizes?: readonly SizeStage[];
  /** Examples in a batch, an integer from 1. */
  readonly batchSize: number;
  /** Test images in a batch; default: `batchSize`. */
  readonly validBatchSize?: number;
  /** Leave out the last, smaller batch of a training epoch; default: true. */
  readonly dropLast?: boolean;
  /** Length of the run. A fraction of an epoch is trained as so many of its first steps, rounded up. */
  readonly epochs: number;
  /** The rule by which weights move, and groups of them that depart from it. */
  readonly optimiser: Optimiser;
  /** The average that is evaluated in place of the network. */
  readonly ema?: Ema;
  /** The average that the network itself is set to, from time to time. */
  readonly lookahead?: Lookahead;
  /** Test-time augmentation; default: none. */
  readonly tta?: Tta;
  /**
   * Evaluate only so many of the first test images, without test-time augmentation, after every epoch but the last; default:
   * all of them as after the last.
   */
  readonly midwayImages?: number;
  /** Decides starting weights, order and augmentation. */
  readonly seed: number;
  /** Changes the starting values that the seed gives, as whitening by the training images does; not in place. */
  readonly start?: (variables: HostVariables, train: Examples) => HostVariables;
  /** How steps are executed; default: captured in fp32. */
  readonly engine?: SessionOptions;
  /** Replaces the steps of training a batch, given the usual ones; default: backward, log, optimise. */
  readonly trainSteps?: (usual: UsualSteps) => readonly FoldStep[];
  /** Steps of the caller, run after all others on what they left. */
  readonly extraSteps?: readonly FoldStep[];
  /** Starting values of what steps of the caller keep; they find it as `extra`, and so does a read of the session. */
  readonly extraState?: HostVariables;
}

/** The steps that training a batch consists of, in this order. */
export interface UsualSteps {
  /** Computes outcome and gradients; see {@link backward}. */
  readonly backward: FoldStep;
  /** Adds the outcome to the totals; see {@link log}. */
  readonly log: FoldStep;
  /** Moves the weights; see {@link optimise}. */
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

/** One row of the log. Training figures are of the network while it learns, on augmented images. */
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
  /** Called about once a second; the figures are read from the device, so a step waits for them. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops the run after the current step. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** What a training session holds. */
export type TrainingState = {
  /** Weights and running statistics by path: `layer1/conv/weight`. */
  readonly network: HostVariables;
  /** The optimiser's, one for each trainable tensor. */
  readonly velocity: HostVariables;
  /** The averaged network; empty without an average. */
  readonly ema: HostVariables;
  /** What steps of the caller keep, see {@link Training.extraState}. */
  readonly extra: HostVariables;
  readonly totals: Totals;
  readonly train: ResidentSplit;
  readonly valid: ResidentSplit;
  readonly tables: ResidentTables;
  readonly validTables: ResidentTables;
};

/** The parts of a session that training changes, on the host. */
export type Learnt = Pick<TrainingState, 'network' | 'velocity' | 'ema' | 'extra'>;

/** The state of a training, complete: another trainer continues from it bit for bit. */
export interface Snapshot {
  /** Epochs that are over. */
  readonly epoch: number;
  /** Seconds of training so far, those of an unfinished epoch included. */
  readonly totalSec: number;
  readonly learnt: Learnt;
  /** The epoch after them, if it was stopped half-way. */
  readonly unfinished?: Unfinished;
  /** Changes of pace; absent if there were none. */
  readonly pace?: readonly PaceChange[];
}

/** The beginning of an epoch. */
export interface Unfinished {
  /** Training batches that are done; all of them if it was stopped in validation. */
  readonly batches: number;
  /** Seconds of training that they took. */
  readonly timeSec: number;
  /** Sums over them. */
  readonly totals: Totals;
}

/** How test images are evaluated; default of each field: as the training says. */
export interface Evaluation {
  /** The averaged network, or the one that learns. */
  readonly usesEma?: boolean;
  readonly tta?: Tta;
  /** Only so many of the first images. */
  readonly images?: number;
}

/** What {@link Trainer.warmUp} measures, all in seconds. */
export interface WarmUp {
  /** An epoch, its validation included; a mean over the sizes of images that the run goes through. */
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

/** Floating-point operations of a run, as `countFlops` of the engine counts them. */
export interface RunFlops {
  /** All steps of training. */
  readonly train: number;
  /** The evaluation after the last epoch. */
  readonly evaluation: number;
}

/** A network in training: its session, and its epochs, one by one. */
export interface Trainer {
  /** To read what is trained, to write it back, and to capture steps of one's own on it. */
  readonly session: Session<TrainingState>;
  /** Training steps in a whole epoch, one a batch. */
  readonly stepsPerEpoch: number;
  /** Training steps of the whole run. */
  readonly steps: number;
  /** `steps` in epochs, the last one perhaps a fraction. */
  readonly epochs: number;
  /** The most steps that one call of TensorFlow runs, see {@link SessionOptions.stepsPerCall}. */
  readonly stepsPerCall: number;
  /**
   * Runs each kind of call two or three times and undoes all of it: the first call is slower than the rest, and the others
   * predict how long an epoch takes, in seconds. Call it between epochs, or not at all.
   */
  warmUp(): Promise<WarmUp>;
  /**
   * Trains for one epoch, counted from 1, then evaluates. An epoch that the signal stopped, in this trainer or in the
   * one that was saved, continues where it was.
   *
   * @throws TrainError if the run has no such epoch
   */
  runEpoch(epoch: number): Promise<EpochRow>;
  /**
   * Makes the run end after `steps` steps: the rest of its schedule is passed through faster or slower. Call it between epochs.
   *
   * @throws TrainError if as many steps are over already
   */
  endAfter(steps: number): void;
  /**
   * Makes the training that is left take so many seconds, evaluation not included, by what steps have taken so far.
   *
   * @throws TrainError before the first {@link Trainer.warmUp}
   */
  endIn(seconds: number): void;
  /**
   * Seconds that the training steps of an epoch, counted from 1, take by the warm-up and the steps since; epochs of larger
   * images take longer. NaN before the first {@link Trainer.warmUp}.
   */
  trainSecOf(epoch: number): number;
  /** The state of the training, after an epoch or when the signal has stopped one. */
  save(): Promise<Snapshot>;
  /**
   * Continues from what a trainer of the same training has saved. Its next epochs, and the rest of an unfinished one, give
   * the same result as the other trainer, bit for bit.
   *
   * @throws TrainError if a tensor is missing, CaptureError if one is not of this training or has another shape
   */
  restore(snapshot: Snapshot): Promise<void>;
  /**
   * Starts again with the starting weights, order and augmentation of another seed: the same result as a new trainer, without
   * compiling again.
   *
   * @param examples replace those that it has, as many of each
   * @throws TrainError if they are not as many
   */
  restart(seed: number, examples?: Pick<Training, 'train' | 'valid'>): void;
  /**
   * Evaluates on the test images as {@link Trainer.runEpoch} does after the last epoch, or in another way. Changes nothing
   * that is learnt; the seconds count for no epoch.
   *
   * @throws TrainError if the average is asked for and none is kept, or if the loss is NaN or infinite
   */
  evaluate(how?: Evaluation): Promise<Figures>;
  /**
   * Floating-point operations of the whole run, counted in the graphs of its steps. Records steps that have not run yet.
   *
   * @throws TrainError in eager mode, which records no graph
   */
  flops(): RunFlops;
  /** Frees the session, and with it everything on the device. */
  dispose(): void;
}
