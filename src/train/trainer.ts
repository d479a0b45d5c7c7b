import { gatherTables } from '../augment/gather';
import { DivergedError, TrainError } from '../base/errors';
import { firstNotFinite } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { createSession } from '../engine/session';
import type { Session } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { initNetwork, pathsByRole } from '../nn/network';
import { hyperSchedule } from '../optim/hyper';
import { initVelocity } from '../optim/optimiser';
import { valueAt } from '../optim/schedule';
import { residentTables } from './batches';
import type { BatchFeed } from './batches';
import { feedsOf } from './epoch-batches';
import { EpochSource } from './epoch-source';
import { Pace, stepsIn } from './pace';
import { nothing, runPhase } from './phase';
import type { PhaseContext } from './phase';
import { checkSameTensors } from './snapshot';
import { StageTimes } from './stage-times';
import { createStages, stageCounts } from './stages';
import type { Stage } from './stages';
import { StepRunner } from './step-runner';
import { emptyTotals } from './steps';
import { startTimer, wallClock } from './timer';
import type {
  EpochRow,
  Evaluation,
  Figures,
  Learnt,
  RunFlops,
  Snapshot,
  Trainer,
  Training,
  TrainingState,
  Unfinished,
  WarmUp,
  Watch,
} from './training';
import { measureWarmUp } from './warm-up';

/**
 * Sets up a network and its data on the device, ready to train.
 *
 * The seed determines initial weights, order and augmentation, those of each epoch independently, so that any epoch can be
 * repeated. Steps count from 1; schedules are read at step / stepsPerEpoch, see {@link Training.firstStep}. The loss is summed
 * over a batch, so the learning rate is divided by the batch size and weight decay is multiplied by it.
 *
 * @throws AugmentError if the transforms do not fit the images
 * @throws EngineError if TensorFlow does not load
 * @throws TrainError if images and labels do not match, stages are out of order, or `stepsPerCall` is not a positive integer;
 *   later, if the loss is NaN or infinite (with epoch and step)
 * @throws InterruptedError later, if the signal stops the run
 */
export function createTrainer(training: Training, watch: Watch = {}): Trainer {
  return new SessionTrainer(training, watch);
}

/** A trainer that owns its session. Its public methods are arrow-function properties, so they work when detached. */
class SessionTrainer implements Trainer {
  readonly session: Session<TrainingState>;
  readonly stepsPerEpoch: number;
  readonly stepsPerCall: number;
  readonly #training: Training;
  readonly #source: EpochSource;
  readonly #runner: StepRunner;
  readonly #pace: Pace;
  readonly #context: PhaseContext;
  readonly #trainable: readonly string[];
  readonly #stageAt: (step: number) => Stage;
  /** The stage of each step at the original pace. */
  readonly #scheduledStageAt: (step: number) => Stage;
  readonly #times = new StageTimes();
  #timer: ReturnType<typeof startTimer>;
  /** The last completed epoch, and the completed part of the next one. */
  #finished = 0;
  #unfinished: Unfinished | undefined;
  /** Completed training batches of the next epoch. */
  #batchesOver = 0;

  constructor(training: Training, { clock = wallClock, ...watch }: Watch) {
    const { model, optimiser, train, imageShape = [32, 32, 3], batchSize } = training;
    this.#training = training;
    this.#source = new EpochSource(training);
    this.#trainable = pathsByRole(model.graph, 'trainable');
    const perEpoch = train.labels.length / batchSize;
    const stepsPerEpoch = (training.dropLast ?? true) ? Math.floor(perEpoch) : Math.ceil(perEpoch);
    this.stepsPerEpoch = stepsPerEpoch;
    this.#pace = new Pace(stepsIn(training.epochs, stepsPerEpoch));
    const positionAt = (steps: number): number => this.#pace.positionAt(steps);
    const sizes = training.sizes ?? [];
    const stages = { optimiser, sizes, trainable: this.#trainable, stepsPerEpoch };
    this.#stageAt = createStages({ ...stages, positionAt });
    this.#scheduledStageAt = createStages(stages);
    const hyperAt = hyperSchedule(
      { ...training, ...optimiser },
      { batchSize, stepsPerEpoch, steps: this.#pace.length, positionAt },
    );
    const { tables } = this.#source;
    // Report what does not fit before anything is put on the device.
    if (training.ema !== undefined && training.lookahead !== undefined) {
      throw new TrainError('train: "ema" and "lookahead" are both set. Give one of them.');
    }
    this.#source.plainTraining();
    const resident = this.#source.resident();
    this.session = createSession<TrainingState>(
      {
        ...this.#start(),
        totals: emptyTotals(),
        ...resident,
        tables: residentTables(tables),
        validTables: residentTables(gatherTables([], [imageShape[0], imageShape[1]], 0)),
      },
      training.engine,
    );
    this.stepsPerCall = stepsPerCallOf(training, stepsPerEpoch);
    if (!Number.isInteger(this.stepsPerCall) || this.stepsPerCall < 1) {
      this.session.dispose();
      throw new TrainError(
        `train: stepsPerCall must be a positive integer; got ${this.stepsPerCall}.`,
      );
    }
    const { session, stepsPerCall } = this;
    this.#context = { session, clock, stepsPerEpoch, stepsPerCall, ...watch };
    this.#timer = startTimer(clock);
    const schedule = { stageAt: this.#stageAt, hyperAt, positionAt, stepsPerEpoch };
    this.#runner = new StepRunner(session, training, tables, schedule);
  }

  get steps(): number {
    return this.#pace.steps;
  }

  get epochs(): number {
    return this.steps / this.stepsPerEpoch;
  }

  readonly endIn: Trainer['endIn'] = (seconds: number): void => {
    const step = this.#stepsOver();
    if (step === this.steps) return;
    let needed = 0;
    // The time of the remaining positions at one step per position.
    for (let position = this.#pace.positionAt(step); position < this.#pace.length; position++) {
      needed += this.#stepSecAt(position);
    }
    const left = this.#pace.length - this.#pace.positionAt(step);
    const steps = Math.max(1, Math.floor((left * seconds) / needed));
    this.endAfter(step + steps);
  };

  /** Seconds per step at a position of the schedule, as measured by the warm-up and since. */
  #stepSecAt(position: number): number {
    const known = this.#times.get(this.#scheduledStageAt(Math.floor(position) + 1).key);
    if (known !== undefined) return known;
    throw new TrainError(
      'train: endIn() was called before warmUp(), which measures steps. Call warmUp() first.',
    );
  }

  readonly trainSecOf: Trainer['trainSecOf'] = (epoch) => {
    const first = (epoch - 1) * this.stepsPerEpoch;
    const last = Math.min(first + this.stepsPerEpoch, this.steps);
    let seconds = 0;
    for (let step = first + 1; step <= last; step++)
      seconds += this.#times.get(this.#stageAt(step).key) ?? NaN;
    return seconds;
  };

  readonly endAfter: Trainer['endAfter'] = (steps) => this.#pace.endAfter(steps, this.#stepsOver());

  /** Completed training steps; the last epoch can be shorter than the others. */
  #stepsOver(): number {
    const steps = this.#finished * this.stepsPerEpoch + this.#batchesOver;
    return Math.min(steps, this.steps);
  }

  readonly warmUp: Trainer['warmUp'] = async (): Promise<WarmUp> => {
    const learnt = await this.#readLearnt();
    const { steps, stepsPerCall, stepsPerEpoch } = this;
    const measured = await measureWarmUp({
      runner: this.#runner,
      source: this.#source,
      stageAt: this.#stageAt,
      times: this.#times,
      clock: this.#context.clock,
      midway: this.#midway(),
      steps,
      stepsPerCall,
      stepsPerEpoch,
    });
    this.session.write(learnt);
    return measured;
  };

  /** How test images are evaluated after every epoch but the last; undefined if in the same way as after the last. */
  #midway(): Evaluation | undefined {
    const { midwayImages } = this.#training;
    return midwayImages === undefined ? undefined : { images: midwayImages, tta: false };
  }

  readonly runEpoch: Trainer['runEpoch'] = async (epoch, onCall): Promise<EpochRow> => {
    const offset = (epoch - 1) * this.stepsPerEpoch;
    if (!(offset >= 0 && offset < this.steps)) {
      throw new TrainError(
        `train: there is no epoch ${epoch}: the run ends after ${this.epochs}. Give the training more epochs.`,
      );
    }
    const timer = this.#timer;
    timer({ isCounted: false });
    const before = (epoch === this.#finished + 1 ? this.#unfinished : undefined) ?? nothing;
    this.#goTo(epoch - 1, before.batches);
    const drawn = this.#source.draw(epoch);
    const batches = (): Int32Array[] => drawn.batches.slice(0, this.steps - offset);
    const epochs = (): number => this.epochs;
    /** Stores the progress of the epoch, including the seconds since it started or resumed. */
    const keep = async (timeSec: number): Promise<void> => {
      const { totals } = await this.session.read('totals');
      const batches = this.#batchesOver;
      this.#unfinished = { batches, timeSec: before.timeSec + timeSec, totals };
    };
    const train = await runPhase(this.#context, {
      name: 'train',
      epoch,
      epochs,
      batches,
      run: (some, first) => this.#train(feedsOf(some, drawn), offset + first + 1),
      before,
      endsCall: (index) => this.#runner.endsCall(offset + index + 1),
      onCall: (index) => {
        this.#batchesOver = index;
        onCall?.();
      },
      onStop: () => keep(timer()),
      meanwhile: () => epoch < this.epochs && this.#source.draw(epoch + 1),
    });
    const timeSec = timer();
    await keep(timeSec);
    const how = epoch < this.epochs ? this.#midway() : undefined;
    const valid = await this.#evaluateAll(epoch, how ?? {});
    const validTime = timer({ isCounted: false });
    const lr = this.#lrAfter(this.#stepsOver());
    this.#goTo(epoch);
    return {
      epoch,
      lr,
      train: { time: before.timeSec + timeSec, ...train },
      valid: { time: validTime, ...valid },
      'total time': timer.totalSec(),
    };
  };

  readonly restart: Trainer['restart'] = (
    seed: number,
    examples?: Pick<Training, 'train' | 'valid'>,
  ): void => {
    const resident = this.#source.restart(seed, examples);
    this.session.write({ ...resident, ...this.#start() });
    this.#pace.restore();
    this.#goTo(0);
    this.#timer = startTimer(this.#context.clock);
  };

  /** Continues after a number of epochs and of batches of the next one, of which nothing is stored yet. */
  #goTo(finished: number, batchesOver = 0): void {
    this.#finished = finished;
    this.#batchesOver = batchesOver;
    this.#unfinished = undefined;
  }

  /** The learning rate schedule's value after `steps` steps. */
  #lrAfter(steps: number): number {
    return valueAt(this.#training.lr, this.#pace.positionAt(steps) / this.stepsPerEpoch);
  }

  readonly evaluate: Trainer['evaluate'] = async (how: Evaluation = {}): Promise<Figures> => {
    const { clock } = this.#context;
    const start = clock();
    const means = await this.#evaluateAll(this.#finished, how);
    return { time: clock() - start, ...means };
  };

  readonly save: Trainer['save'] = async (): Promise<Snapshot> => {
    const learnt = await this.#readLearnt();
    const { changes } = this.#pace;
    return {
      epoch: this.#finished,
      totalSec: this.#timer.totalSec(),
      learnt,
      ...(this.#unfinished === undefined ? {} : { unfinished: this.#unfinished }),
      ...(changes.length === 1 && changes[0].rate === 1 ? {} : { pace: [...changes] }),
    };
  };

  readonly restore: Trainer['restore'] = async (snapshot: Snapshot): Promise<void> => {
    checkSameTensors(await this.#readLearnt(), snapshot.learnt);
    this.session.write(snapshot.learnt);
    this.#pace.restore(snapshot.pace);
    this.#goTo(snapshot.epoch, snapshot.unfinished?.batches);
    this.#unfinished = snapshot.unfinished;
    this.#timer = startTimer(this.#context.clock, snapshot.totalSec);
  };

  readonly flops: Trainer['flops'] = (): RunFlops => {
    const plain = this.#source.plainTraining();
    let train = 0;
    // Without dropLast, the last batch of an epoch is smaller.
    const last = plain.batches.slice(-1);
    const isLast = (step: number): boolean => step % this.stepsPerEpoch === 0;
    const flopsOf = (batches: readonly Int32Array[], first: number): number =>
      this.#runner.flopsOf(this.#runner.recordTrain(feedsOf(batches, plain), first));
    for (const { first, steps, counted } of stageCounts(this.#stageAt, this.steps, isLast)) {
      train +=
        (steps - counted) * (steps > counted ? flopsOf(plain.batches.slice(0, 1), first) : 0);
      train += counted * (counted > 0 ? flopsOf(last, first) : 0);
    }
    const validation = this.#source.validation();
    const evaluation = validation.batches.reduce((sum, batch) => {
      const name = this.#runner.recordEvaluation(feedsOf([batch], validation), {});
      return sum + this.#runner.flopsOf(name);
    }, 0);
    return { train, evaluation };
  };

  readonly dispose: Trainer['dispose'] = (): void => {
    this.session.dispose();
  };

  /** The initial state of a run, determined by the seed. */
  #start(): Learnt {
    const { model, ema, lookahead, start, extraState: extra = {} } = this.#training;
    const drawn = initNetwork(model.graph, createRng(this.#source.seed, 'init'));
    const network = start?.(drawn, this.#source.examples.train) ?? drawn;
    return {
      network,
      velocity: initVelocity(
        Object.fromEntries(this.#trainable.map((path) => [path, network[path]])),
      ),
      ema: ema === undefined && lookahead === undefined ? {} : network,
      extra,
    };
  }

  #readLearnt(): Promise<Learnt> {
    return this.session.read('network', 'velocity', 'ema', 'extra');
  }

  /** Runs steps of one stage in one call and tracks the seconds per step; `step` is the first, counted from 1 over the run. */
  async #train(batches: readonly BatchFeed[], step: number): Promise<void> {
    const { key } = this.#stageAt(step);
    if (this.#times.get(key) === undefined) return this.#runner.train(batches, step);
    const before = this.#context.clock();
    await this.#runner.train(batches, step);
    this.#times.follow(key, (this.#context.clock() - before) / batches.length);
  }

  async #evaluateAll(epoch: number, how: Evaluation): Promise<Omit<Figures, 'time'>> {
    const validation = this.#source.validation(how.images);
    const { ema } = this.#training;
    // Max pooling ignores NaN, so the loss can be finite although a weight is NaN.
    const part = (how.usesEma ?? ema !== undefined) ? 'ema' : 'network';
    const bad = firstNotFinite(Object.entries((await this.session.read(part))[part]));
    if (bad !== undefined) {
      throw new DivergedError(
        `train: after epoch ${epoch} ${bad}. Lower the learning rate, or start with a lower one.`,
        { epoch },
      );
    }
    return runPhase(this.#context, {
      name: 'valid',
      epoch,
      epochs: () => this.epochs,
      batches: () => validation.batches,
      run: (batches) => this.#runner.evaluate(feedsOf(batches, validation), how),
    });
  }
}

function stepsPerCallOf({ engine }: Training, stepsPerEpoch: number): number {
  const isAllAtOnce = engine?.mode !== 'eager' && loadTensorflow().gpu;
  return engine?.stepsPerCall ?? (isAllAtOnce ? stepsPerEpoch : 1);
}
