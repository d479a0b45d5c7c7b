import * as tf from '@tensorflow/tfjs-core';
import { batchIndices, epochBatches } from '../augment/epoch-order';
import { gatherTables } from '../augment/gather';
import { identityPlan, plan } from '../augment/plan';
import type { Plan, Scheme } from '../augment/plan';
import type { Transform } from '../augment/transform';
import { InterruptedError, TrainError } from '../base/errors';
import { isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { entries } from '../base/tree';
import { createSession } from '../engine/session';
import type { SessionOptions } from '../engine/session';
import { stackFeeds } from '../engine/step';
import type { OnDevice, Session, StepResult } from '../engine/step';
import { loadTensorflow } from '../engine/tensorflow';
import { initNetwork, pathsByRole } from '../nn/network';
import type { HostVariables } from '../nn/network';
import { isEmaStep, updateEma } from '../optim/ema';
import type { Ema } from '../optim/ema';
import { initVelocity } from '../optim/optimiser';
import type { Optimiser } from '../optim/optimiser';
import { valueAt } from '../optim/schedule';
import type { Schedule } from '../optim/schedule';
import type { Progress } from '../text/progress';
import { gatherBatch, residentSplit, residentTables } from './batches';
import type { BatchFeed, ResidentSplit, ResidentTables } from './batches';
import { backward, emptyTotals, evaluate, fold, log, optimise } from './steps';
import type { FoldStep, Model, Totals } from './steps';
import { startTimer, wallClock } from './timer';
import type { Clock } from './timer';

/** Normalised images and their classes; `normaliseSplit` makes them of a split of CIFAR-10. */
export interface Examples {
  /** `[N,H,W,C]` in rows. */
  readonly images: Float32Array;
  /** `[N]`, whole numbers from 0. */
  readonly labels: ArrayLike<number>;
}

/** Everything that decides how a network is trained, as data. Numbers that decide how well it does have no default. */
export interface Training {
  readonly model: Model;
  /** Learnt from, augmented. */
  readonly train: Examples;
  /** Evaluated on after each epoch, never augmented. */
  readonly valid: Examples;
  /** `[H,W,C]` of the images; `[32,32,3]` where absent. */
  readonly imageShape?: readonly [height: number, width: number, channels: number];
  /** What may be done to training images: each kind at most once, in the order crop, flip, cutout. */
  readonly transforms?: readonly Transform[];
  /** Pixels of reflect padding that a crop can use; 0 where absent. */
  readonly pad?: number;
  /** How the options of transforms are drawn; `per-example` where absent. */
  readonly scheme?: Scheme;
  /** In scheme `groups`, how many options of a transform one epoch uses at most; 200 where absent. */
  readonly maxOptions?: number;
  /** Examples in a batch, a whole number from 1. */
  readonly batchSize: number;
  /** Leave out the last, smaller batch of a training epoch; true where absent. */
  readonly dropLast?: boolean;
  /** How long the run is to be. Only progress tells it: nothing stops after the last one, and `lr` has its own knots. */
  readonly epochs: number;
  /** Learning rate over epochs, for the **mean** loss of a batch. */
  readonly lr: Schedule;
  /** For the mean loss of a batch. */
  readonly weightDecay: number;
  /** What one step keeps of the velocity. */
  readonly momentum: number;
  /** The rule by which weights move, and groups of them that depart from it. */
  readonly optimiser: Optimiser;
  /** The average that is evaluated in the network's place. */
  readonly ema?: Ema;
  /** Evaluate the image and its mirror image; false where absent. */
  readonly tta?: boolean;
  /** Gives starting weights, order and augmentation. */
  readonly seed: number;
  /** Changes the starting values that the seed gives, as whitening by the training images does; not in place. */
  readonly start?: (variables: HostVariables, train: Examples) => HostVariables;
  /** How steps are executed; captured in fp32 where absent. */
  readonly engine?: SessionOptions;
  /** What is done with a batch, made of the usual steps and the caller's; backward, log, optimise where absent. */
  readonly trainSteps?: (usual: UsualSteps) => readonly FoldStep[];
  /** Steps of the caller, run after all others on what they left. */
  readonly extraSteps?: readonly FoldStep[];
  /** Starting values of what steps of the caller keep; they find it as `extra`, and so does a read of the session. */
  readonly extraState?: HostVariables;
}

/** The steps that training a batch consists of, in this order. */
export interface UsualSteps {
  /** Finds outcome and gradients; see {@link backward}. */
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
  /** Seconds of training so far; validation is left out. */
  readonly 'total time': number;
};

export type { Progress };

/** What follows a run and may stop it. */
export interface Watch {
  /** Told about once a second; the figures are read from the device, so a step waits for them. */
  readonly onProgress?: (progress: Progress) => void;
  /** Stops after the step that is running. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** What a training session holds. */
export type TrainingState = {
  /** Weights and running statistics by path: `layer1/conv/weight`. */
  readonly network: HostVariables;
  /** The optimiser's, one for each trainable tensor. */
  readonly velocity: HostVariables;
  /** The averaged network; empty where there is none. */
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

/** A training as it stands: all that is needed to go on to the same bits. */
export interface Snapshot {
  /** Epochs that are over. */
  readonly epoch: number;
  /** Seconds of training so far, those of an unfinished epoch among them. */
  readonly totalSec: number;
  readonly learnt: Learnt;
  /** The epoch after them, where it was stopped half-way. */
  readonly unfinished?: Unfinished;
}

/** The beginning of an epoch. */
export interface Unfinished {
  /** Training batches that are done; all of them where it was stopped in validation. */
  readonly batches: number;
  /** Seconds of training that they took. */
  readonly timeSec: number;
  /** Sums over them. */
  readonly totals: Totals;
}

/** Numbers fed beside a batch. */
type HyperFeed = {
  readonly lr: number;
  readonly weightDecay: number;
  readonly momentum: number;
};

type StepFeed = { readonly batch: BatchFeed; readonly hyper: HyperFeed; readonly step: number };

/** The same in a loop with an average: 1 where it follows after the step, else 0. */
type LoopFeed = StepFeed & { readonly isAveraged?: number };

/** How validation images are evaluated; as the training says where a field is absent. */
export interface Evaluation {
  /** The averaged network, or the one that learns. */
  readonly usesEma?: boolean;
  /** The image and its mirror image, or the image alone. */
  readonly tta?: boolean;
}

/** What {@link Trainer.warmUp} measures, all in seconds. */
export interface WarmUp {
  /** An epoch, its validation included. */
  readonly epochSec: number;
  /** One step of training. */
  readonly trainStepSec: number;
  /** One step of validation. */
  readonly validStepSec: number;
}

/** A network in training: its session, and its epochs, one by one. */
export interface Trainer {
  /** To read what is trained, to write it back, and to capture steps of one's own on it. */
  readonly session: Session<TrainingState>;
  /** Training steps, one a batch. */
  readonly stepsPerEpoch: number;
  /** The most steps that one call of TensorFlow runs, see {@link SessionOptions.stepsPerCall}. */
  readonly stepsPerCall: number;
  /**
   * Runs each kind of call twice and takes all of it back: the first one is slower than the rest, and the second one tells
   * how long an epoch will take, in seconds. Call it between epochs, or not at all.
   */
  warmUp(): Promise<WarmUp>;
  /**
   * Trains for one epoch, counted from 1, then evaluates. An epoch that the signal has stopped, in this trainer or in the
   * one that was saved, goes on where it was.
   */
  runEpoch(epoch: number): Promise<EpochRow>;
  /** Where training stands, after an epoch or when the signal has stopped one. */
  save(): Promise<Snapshot>;
  /**
   * Takes up what a trainer of the same training has saved. Its next epochs, and the rest of an unfinished one, give the
   * bits that the other trainer would have given.
   *
   * @throws TrainError if a tensor is missing, CaptureError if one is not of this training or has another shape
   */
  restore(snapshot: Snapshot): Promise<void>;
  /**
   * Begins anew with the starting weights, order and augmentation of another seed: the bits of another trainer of the same
   * training, but what was compiled for this one is kept.
   *
   * @param examples are put in the place of those that it has, as many of each
   * @throws TrainError if they are not as many
   */
  restart(seed: number, examples?: Pick<Training, 'train' | 'valid'>): void;
  /**
   * Evaluates on the validation images as {@link Trainer.runEpoch} does, or in another way. Changes nothing that is
   * learnt; the seconds count for no epoch.
   *
   * @throws TrainError if the average is asked for and none is kept, or if the loss is no finite number
   */
  evaluate(how?: Evaluation): Promise<Figures>;
  /** Frees the session, and with it everything on the device. */
  dispose(): void;
}

/**
 * Sets up a network and its data on the device, ready to train.
 *
 * One seed gives initial weights, order and augmentation, as separate streams named by the epoch, so that any epoch can
 * be repeated by itself. The step counts from 1: the first update uses the schedule at 1 / stepsPerEpoch, the last at
 * `epochs`. The loss is summed over a batch, so the rate is divided by the batch size and weight decay multiplied by it.
 *
 * @throws AugmentError if the transforms do not fit the images
 * @throws EngineError if TensorFlow does not load
 * @throws TrainError if images and labels do not belong together, or if a call is to run no whole number of steps; later,
 *   if the loss is no finite number (with epoch and step)
 * @throws InterruptedError later, if the signal stops the run
 */
export function createTrainer({ train, valid, ...training }: Training, watch: Watch = {}): Trainer {
  const { model, optimiser, ema, batchSize } = training;
  const { imageShape = [32, 32, 3], transforms = [], pad = 0, dropLast = true } = training;
  const { scheme = 'per-example', maxOptions = 200, extraState: extra = {} } = training;
  const { onProgress, signal, clock = wallClock } = watch;
  const [height, width, channels] = imageShape;
  const source = [height, width] as const;
  const tables = gatherTables(transforms, source, pad);
  const validTables = gatherTables([], source, 0);
  const trainCount = train.labels.length;
  const validCount = valid.labels.length;
  const resident = (
    examples: Pick<Training, 'train' | 'valid'>,
  ): Pick<TrainingState, 'train' | 'valid'> => {
    checkExamples('train', examples.train, imageShape);
    checkExamples('valid', examples.valid, imageShape);
    return {
      train: residentSplit(examples.train.images, examples.train.labels, channels),
      valid: residentSplit(examples.valid.images, examples.valid.labels, channels),
    };
  };
  // Before anything is made of them: what does not belong together is said first.
  const placed = resident({ train, valid });
  const stepsPerEpoch = dropLast
    ? Math.floor(trainCount / batchSize)
    : Math.ceil(trainCount / batchSize);
  let { seed } = training;
  const trainable = pathsByRole(model.graph, 'trainable');
  /** What is learnt before anything is, by the seed. */
  const begin = (examples: Examples): Learnt => {
    const drawn = initNetwork(model.graph, createRng(seed, 'init'));
    const network = training.start?.(drawn, examples) ?? drawn;
    return {
      network,
      velocity: initVelocity(Object.fromEntries(trainable.map((path) => [path, network[path]]))),
      ema: ema === undefined ? {} : network,
      extra,
    };
  };

  const session = createSession<TrainingState>(
    {
      ...begin(train),
      totals: emptyTotals(),
      ...placed,
      tables: residentTables(tables),
      validTables: residentTables(validTables),
    },
    training.engine,
  );

  const isAllAtOnce = training.engine?.mode !== 'eager' && loadTensorflow().gpu;
  const stepsPerCall = training.engine?.stepsPerCall ?? (isAllAtOnce ? stepsPerEpoch : 1);
  if (!Number.isInteger(stepsPerCall) || stepsPerCall < 1) {
    session.dispose();
    throw new TrainError(
      `train: ${stepsPerCall} steps were to be put into a call. Give a whole number from 1.`,
    );
  }
  const usual = { backward: backward(model), log, optimise: optimise(optimiser) };
  const trainSteps = [
    ...(training.trainSteps?.(usual) ?? [usual.backward, usual.log, usual.optimise]),
    ...(training.extraSteps ?? []),
  ];
  const trainStep: DeviceStep<LoopFeed> = (
    { network, velocity, totals, extra, ...state },
    { batch, hyper, step, isAveraged },
  ) => {
    const images = gatherBatch(state.train, state.tables, batch, source, tables.hasCutout);
    const fed = { batch: images, hyper, step };
    const work = fold({ ...fed, network, velocity, totals, extra }, trainSteps);
    return {
      state: {
        network: work.network,
        velocity: work.velocity,
        totals: work.totals,
        extra: work.extra,
        ...(ema === undefined || isAveraged === undefined
          ? {}
          : { ema: followedIf(isAveraged, updateEma(ema, state.ema, work.network), state.ema) }),
      },
    };
  };
  const runTrain = perShape(session, 'train', trainStep);
  const captureValid = ({ usesEma, tta }: Required<Evaluation>): RunSteps =>
    perShape(
      session,
      `valid${usesEma ? ' ema' : ''}${tta ? ' tta' : ''}`,
      ({ totals, valid, validTables: resident, ...state }, { batch, hyper, step }) => {
        const images = gatherBatch(valid, resident, batch, source, false);
        const network = usesEma ? state.ema : state.network;
        const fed = { batch: images, hyper, step };
        const work = fold({ ...fed, network, velocity: {}, totals }, [
          evaluate(model, { tta }),
          log,
        ]);
        return { state: { totals: work.totals } };
      },
    );
  const validRuns = new Map<string, RunSteps>();
  /** Captured when it is first asked for. */
  const validRun = (how: Evaluation): RunSteps => {
    const { usesEma = ema !== undefined, tta = training.tta ?? false } = how;
    if (usesEma && ema === undefined) {
      throw new TrainError(
        'train: the average was to be evaluated, and none is kept. Give the training an "ema".',
      );
    }
    const key = `${usesEma} ${tta}`;
    const run = validRuns.get(key) ?? captureValid({ usesEma, tta });
    validRuns.set(key, run);
    return run;
  };
  const runValid = validRun({});
  const runEma =
    ema === undefined
      ? undefined
      : session.capture(
          'ema',
          (state) => ({ state: { ema: updateEma(ema, state.ema, state.network) } }),
          {},
        );

  const readTotals = async (
    phase: Progress['phase'],
    epoch: number,
  ): Promise<Omit<Figures, 'time'>> => {
    const { totals } = await session.read('totals');
    const [loss, correct, count, firstBad] = [
      totals.loss,
      totals.correct,
      totals.count,
      totals.firstBadStep,
    ].map(({ data }) => data[0]);
    if (firstBad >= 0) {
      const where =
        phase === 'train'
          ? `the loss is no finite number since epoch ${epoch}, step ${firstBad - (epoch - 1) * stepsPerEpoch}`
          : `the validation loss after epoch ${epoch} is no finite number, while that of training is`;
      throw new TrainError(`train: ${where}. Lower the learning rate, or start it lower.`);
    }
    return { loss: loss / count, acc: correct / count };
  };

  /** Runs one phase of an epoch: every batch that is not yet done, with progress told about once a second. */
  const runPhase = async (
    phase: Progress['phase'],
    epoch: number,
    { batches, choices }: Batches,
    runBatches: (batches: readonly BatchFeed[], first: number) => Promise<unknown>,
    { before = nothing, onStop, meanwhile }: PhaseOptions = {},
  ): Promise<Omit<Figures, 'time'>> => {
    session.write({ totals: before.totals });
    const total = batches.reduce((sum, { length }) => sum + length, 0);
    let told = clock();
    const start = told - before.timeSec;
    let index = before.batches;
    let done = batches.slice(0, index).reduce((sum, { length }) => sum + length, 0);
    for (const group of callsOf(batches.slice(index), stepsPerCall)) {
      if (signal?.aborted === true) {
        await onStop?.(index);
        throw new InterruptedError(
          `train: stopped in epoch ${epoch}, before step ${index + 1} of ${batches.length} (${phase}).`,
        );
      }
      const running = runBatches(feedsOf(group, choices), index);
      meanwhile?.();
      await running;
      index += group.length;
      done += group.reduce((sum, { length }) => sum + length, 0);
      const now = clock();
      if (onProgress !== undefined && now - told >= 1) {
        told = now;
        const means = await readTotals(phase, epoch);
        const { epochs } = training;
        onProgress({ phase, epoch, epochs, done, total, timeSec: now - start, ...means });
      }
    }
    return readTotals(phase, epoch);
  };

  const hyperAt = (step: number): HyperFeed => ({
    lr: valueAt(training.lr, step / stepsPerEpoch) / batchSize,
    weightDecay: training.weightDecay * batchSize,
    momentum: training.momentum,
  });
  const noHyper: HyperFeed = { lr: 0, weightDecay: 0, momentum: 0 };
  const validation: Batches = {
    batches: epochBatches(validCount, { batchSize, dropLast: false }),
    choices: identityPlan(validCount),
  };
  /** Order and augmentation of an epoch, drawn while the one before it is under way. */
  let drawn: { readonly epoch: number; readonly of: Batches } | undefined;
  const draw = (epoch: number): Batches => {
    if (drawn?.epoch === epoch) return drawn.of;
    const order = { batchSize, dropLast, rng: createRng(seed, 'order', epoch) };
    const rng = createRng(seed, 'augment', epoch);
    const of = {
      batches: epochBatches(trainCount, order),
      choices: plan(transforms, tables.padded, trainCount, { scheme, maxOptions, rng }),
    };
    drawn = { epoch, of };
    return of;
  };
  const trainBatches = async (
    epoch: number,
    batches: readonly BatchFeed[],
    first: number,
  ): Promise<void> => {
    const feeds = batches.map((batch, index): LoopFeed => {
      const step = (epoch - 1) * stepsPerEpoch + first + index + 1;
      return { batch, hyper: hyperAt(step), step };
    });
    const isDue = (index: number): boolean => ema !== undefined && isEmaStep(ema, first + index);
    if (feeds.length === 1 || ema === undefined) {
      await runTrain(feeds);
      if (runEma !== undefined && isDue(0)) await runEma({});
    } else {
      await runTrain(feeds.map((feed, index) => ({ ...feed, isAveraged: isDue(index) ? 1 : 0 })));
    }
  };
  let timer = startTimer(clock);
  /** The epoch under way or, between epochs, the last one. */
  let current = 0;
  /** The last epoch that is over, and what is done of the one after it. */
  let finished = 0;
  let unfinished: Unfinished | undefined;
  const readLearnt = (): Promise<Learnt> => session.read('network', 'velocity', 'ema', 'extra');
  const validFeeds = (batches: readonly BatchFeed[]): StepFeed[] =>
    batches.map((batch) => ({ batch, hyper: noHyper, step: 0 }));
  const evaluateAll = (run: RunSteps): Promise<Omit<Figures, 'time'>> =>
    runPhase('valid', current, validation, (batches) => run(validFeeds(batches)));

  return {
    session,
    stepsPerEpoch,
    stepsPerCall,
    async warmUp() {
      const learnt = await readLearnt();
      /** Seconds that a batch takes in calls of this kind, as a mean; of single batches the first one speaks for all. */
      const stepSec = async (
        { batches, choices }: Batches,
        run: (batches: readonly BatchFeed[]) => Promise<unknown>,
      ): Promise<number> => {
        const calls = callsOf(batches, stepsPerCall);
        const kinds = new Map(calls.map((call) => [`${call.length} ${call[0].length}`, call]));
        let seconds = 0;
        let steps = 0;
        for (const call of stepsPerCall === 1 ? [calls[0]] : kinds.values()) {
          const feeds = feedsOf(call, choices);
          await run(feeds);
          const start = clock();
          await run(feeds);
          seconds += clock() - start;
          steps += call.length;
        }
        return seconds / steps;
      };
      const training: Batches = {
        batches: epochBatches(trainCount, { batchSize, dropLast }),
        choices: identityPlan(trainCount),
      };
      const trainStepSec = await stepSec(training, (batches) => trainBatches(1, batches, 0));
      const validStepSec = await stepSec(validation, (batches) => runValid(validFeeds(batches)));
      session.write(learnt);
      const epochSec = stepsPerEpoch * trainStepSec + validation.batches.length * validStepSec;
      return { epochSec, trainStepSec, validStepSec };
    },
    async runEpoch(epoch) {
      timer({ isCounted: false });
      const before = (epoch === finished + 1 ? unfinished : undefined) ?? nothing;
      current = epoch;
      finished = epoch - 1;
      unfinished = undefined;
      const epochsBatches = draw(epoch);
      /** Keeps what is done of the epoch, the seconds since it began or went on among it. */
      const keep = async (done: number, timeSec: number): Promise<void> => {
        const { totals } = await session.read('totals');
        unfinished = { batches: done, timeSec: before.timeSec + timeSec, totals };
      };
      const train = await runPhase(
        'train',
        epoch,
        epochsBatches,
        (batches, first) => trainBatches(epoch, batches, first),
        {
          before,
          onStop: (index) => keep(index, timer()),
          meanwhile: () => epoch < training.epochs && draw(epoch + 1),
        },
      );
      const timeSec = timer();
      await keep(epochsBatches.batches.length, timeSec);
      const valid = await evaluateAll(runValid);
      const validTime = timer({ isCounted: false });
      finished = epoch;
      unfinished = undefined;
      return {
        epoch,
        lr: valueAt(training.lr, epoch),
        train: { time: before.timeSec + timeSec, ...train },
        valid: { time: validTime, ...valid },
        'total time': timer.totalSec(),
      };
    },
    restart(another, examples) {
      if (examples !== undefined) {
        const [wanted, given] = [{ train, valid }, examples].map(
          (each) => `${each.train.labels.length} and ${each.valid.labels.length}`,
        );
        if (wanted !== given) {
          throw new TrainError(
            `train: a trainer of ${wanted} training and validation examples was to take up ${given}. Give as many, or ` +
              'create another trainer.',
          );
        }
        session.write(resident(examples));
        ({ train, valid } = examples);
      }
      seed = another;
      drawn = undefined;
      session.write(begin(train));
      current = 0;
      finished = 0;
      unfinished = undefined;
      timer = startTimer(clock);
    },
    async evaluate(how = {}) {
      const run = validRun(how);
      const start = clock();
      const means = await evaluateAll(run);
      return { time: clock() - start, ...means };
    },
    async save() {
      const learnt = await readLearnt();
      const rest = unfinished === undefined ? {} : { unfinished };
      return { epoch: finished, totalSec: timer.totalSec(), learnt, ...rest };
    },
    async restore(snapshot) {
      const held = await readLearnt();
      checkSameTensors(held, snapshot.learnt);
      session.write(snapshot.learnt);
      finished = snapshot.epoch;
      unfinished = snapshot.unfinished;
      timer = startTimer(clock, snapshot.totalSec);
    },
    dispose: () => session.dispose(),
  };
}

/** How a phase is run that is not run from its beginning, or may be stopped. */
interface PhaseOptions {
  /** What is done of it; nothing where absent. */
  readonly before?: Unfinished;
  /** Told how many batches are done, once the signal has stopped the phase. */
  readonly onStop?: (batches: number) => Promise<void>;
  /** Done while the first call is under way. */
  readonly meanwhile?: () => unknown;
}

/** Batches of examples by number, and what is done to each example. */
interface Batches {
  readonly batches: readonly Int32Array[];
  readonly choices: Plan;
}

function feedsOf(batches: readonly Int32Array[], choices: Plan): BatchFeed[] {
  return batches.map((order) => ({ ...batchIndices(choices, order) }));
}

/** Cuts batches into calls of at most so many, those of a call all of one size. */
function callsOf(batches: readonly Int32Array[], most: number): Int32Array[][] {
  const calls: Int32Array[][] = [];
  for (const batch of batches) {
    const last = calls.at(-1);
    if (last !== undefined && last.length < most && last[0].length === batch.length) {
      last.push(batch);
    } else {
      calls.push([batch]);
    }
  }
  return calls;
}

/** The average that follows, or the one before where the step is none after which it does. */
function followedIf(
  isDue: tf.Tensor,
  followed: Readonly<Record<string, tf.Tensor>>,
  before: Readonly<Record<string, tf.Tensor>>,
): Record<string, tf.Tensor> {
  const condition = isDue.greater(0);
  return Object.fromEntries(
    Object.entries(followed).map(([path, next]) => [path, tf.where(condition, next, before[path])]),
  );
}

/** An epoch before its first batch. */
const nothing: Unfinished = { batches: 0, timeSec: 0, totals: emptyTotals() };

function checkSameTensors(held: Learnt, given: Learnt): void {
  const pathsOf = (learnt: Learnt): string[] =>
    [...entries<HostTensor>(learnt, isHostTensor)].map(([path]) => path.join('/'));
  const found = new Set(pathsOf(given));
  const missing = pathsOf(held).find((path) => !found.has(path));
  if (missing === undefined) return;
  throw new TrainError(
    `train: what is to be restored lacks "${missing}". Restore what a trainer of the same training has saved.`,
  );
}

function checkExamples(
  name: 'train' | 'valid',
  { images, labels }: Examples,
  [height, width, channels]: readonly [number, number, number],
): void {
  const size = height * width * channels;
  if (labels.length > 0 && images.length === labels.length * size) return;
  throw new TrainError(
    `train: "${name}" has ${labels.length} labels and ${images.length} values of pixels; expected at least one ` +
      `label, and ${size} values, [${height},${width},${channels}], for each. Give images and labels of the same ` +
      'examples, or another imageShape.',
  );
}

type DeviceStep<I> = (
  state: OnDevice<TrainingState>,
  inputs: OnDevice<I>,
) => StepResult<TrainingState, Record<string, never>>;

/** Runs steps on batches of one size, all in one call. */
type RunSteps = (feeds: readonly LoopFeed[]) => Promise<unknown>;

/** Captures a step once for each batch size and number of steps a call that comes along. */
function perShape(
  session: Session<TrainingState>,
  name: string,
  step: DeviceStep<LoopFeed>,
): RunSteps {
  const captured = new Map<string, RunSteps>();
  return (feeds) => {
    const [example] = feeds;
    const size = example.batch.order.length;
    const count = feeds.length;
    const key = `${name} [${size}]${count === 1 ? '' : ` x ${count}`}`;
    let run = captured.get(key);
    if (run === undefined) {
      if (count === 1) {
        const single = session.capture(key, step, example);
        run = ([feed]) => single(feed);
      } else {
        const loop = session.captureLoop(key, count, step, example);
        run = (all) => loop(stackFeeds(all));
      }
      captured.set(key, run);
    }
    return run(feeds);
  };
}
