import { gatherTables } from '../augment/gather';
import type { GatherTables } from '../augment/gather';
import { DivergedError, TrainError } from '../base/errors';
import { firstNotFinite } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { countFlops } from '../engine/flops';
import { createSession } from '../engine/session';
import type { Session } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { initNetwork, pathsByRole } from '../nn/network';
import { isEmaStep, updateEma } from '../optim/ema';
import { hyperSchedule } from '../optim/hyper';
import type { GroupedHyperFeed } from '../optim/hyper';
import { lookaheadAction, updateLookahead } from '../optim/lookahead';
import type { LookaheadAction } from '../optim/lookahead';
import { initVelocity } from '../optim/optimiser';
import { valueAt } from '../optim/schedule';
import { residentSplit, residentTables } from './batches';
import type { BatchFeed } from './batches';
import { callsOf, perShape } from './calls';
import type { StepFeed, Steps } from './calls';
import { drawEpoch, feedsOf, plainBatches } from './epoch-batches';
import type { EpochBatches } from './epoch-batches';
import { Pace } from './pace';
import { nothing, runPhase } from './phase';
import type { PhaseContext } from './phase';
import { checkExamples, checkSameCounts, checkSameTensors } from './snapshot';
import { createStages } from './stages';
import type { Stage } from './stages';
import { emptyTotals } from './steps';
import { startTimer, wallClock } from './timer';
import { trainStepOf, validStepOf } from './trainer-steps';
import type {
  EpochRow,
  Evaluation,
  Examples,
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

/**
 * Sets up a network and its data on the device, ready to train.
 *
 * The seed decides initial weights, order and augmentation, as separate streams named by the epoch, so that any epoch can
 * be repeated by itself. Steps count from 1; schedules are read at step / stepsPerEpoch, see {@link Training.firstStep}. The
 * loss is summed over a batch, so the rate is divided by the batch size and weight decay multiplied by it.
 *
 * @throws AugmentError if the transforms do not fit the images
 * @throws EngineError if TensorFlow does not load
 * @throws TrainError if images and labels do not belong together, stages are out of order, or `stepsPerCall` is not a positive
 *   integer; later, if the loss is NaN or infinite (with epoch and step)
 * @throws InterruptedError later, if the signal stops the run
 */
export function createTrainer(training: Training, watch: Watch = {}): Trainer {
  return new SessionTrainer(training, watch);
}

type LookaheadRuns = Readonly<Record<'start' | 'update', () => Promise<unknown>>>;

const noHyper: GroupedHyperFeed = { lr: 0, weightDecay: 0, momentum: 0 };

/** The trainer of a session that it opens. Its public methods are properties, so that they work without it. */
class SessionTrainer implements Trainer {
  readonly session: Session<TrainingState>;
  readonly stepsPerEpoch: number;
  readonly stepsPerCall: number;
  readonly #training: Training;
  readonly #tables: GatherTables;
  readonly #pace: Pace;
  readonly #context: PhaseContext;
  readonly #trainable: readonly string[];
  readonly #stageAt: (step: number) => Stage;
  /** The same at the pace of the schedule. */
  readonly #scheduledStageAt: (step: number) => Stage;
  /** Seconds of a step, by the key of its stage: of the warm-up, then a moving average. */
  readonly #stageSec = new Map<string, number>();
  readonly #hyperAt: (step: number) => GroupedHyperFeed;
  readonly #trainSteps = new Map<Stage, Steps>();
  readonly #validSteps = new Map<string, Steps>();
  readonly #runEma: (() => Promise<unknown>) | undefined;
  readonly #lookahead: LookaheadRuns | undefined;
  #seed: number;
  #examples: Readonly<Record<'train' | 'valid', Examples>>;
  #drawn: { readonly epoch: number; readonly of: EpochBatches } | undefined;
  #timer: ReturnType<typeof startTimer>;
  /** The last epoch that is over, and what is done of the one after it. */
  #finished = 0;
  #unfinished: Unfinished | undefined;

  constructor(training: Training, { clock = wallClock, ...watch }: Watch) {
    const { model, optimiser, train, valid, imageShape = [32, 32, 3], batchSize } = training;
    const [height, width] = imageShape;
    this.#training = training;
    this.#seed = training.seed;
    this.#examples = { train, valid };
    this.#tables = gatherTables(training.transforms ?? [], [height, width], training.pad ?? 0);
    this.#trainable = pathsByRole(model.graph, 'trainable');
    const perEpoch = train.labels.length / batchSize;
    const stepsPerEpoch = (training.dropLast ?? true) ? Math.floor(perEpoch) : Math.ceil(perEpoch);
    this.stepsPerEpoch = stepsPerEpoch;
    this.#pace = new Pace(Math.ceil(training.epochs * stepsPerEpoch));
    const positionAt = (steps: number): number => this.#pace.positionAt(steps);
    const stages = {
      optimiser,
      sizes: training.sizes ?? [],
      trainable: this.#trainable,
      stepsPerEpoch,
    };
    this.#stageAt = createStages({ ...stages, positionAt });
    this.#scheduledStageAt = createStages(stages);
    this.#hyperAt = hyperSchedule(
      { ...training, ...optimiser },
      { batchSize, stepsPerEpoch, steps: this.#pace.length, positionAt },
    );
    // What does not belong together is reported before anything is put on the device.
    const resident = this.#resident(this.#examples);
    this.session = createSession<TrainingState>(
      {
        ...this.#start(train),
        totals: emptyTotals(),
        ...resident,
        tables: residentTables(this.#tables),
        validTables: residentTables(gatherTables([], [height, width], 0)),
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
    this.#runEma = this.#captureEma();
    this.#lookahead = this.#captureLookahead();
    this.#validFor({});
  }

  get steps(): number {
    return this.#pace.steps;
  }

  get epochs(): number {
    return this.steps / this.stepsPerEpoch;
  }

  readonly endIn: Trainer['endIn'] = (seconds: number): void => {
    const step = this.#stepsOver();
    let needed = 0;
    // Positions that are left, each at the pace of its stage: one step a position.
    for (let position = this.#pace.positionAt(step); position < this.#pace.length; position++) {
      needed += this.#stepSecAt(position);
    }
    const left = this.#pace.length - this.#pace.positionAt(step);
    const steps = Math.max(1, Math.floor((left * seconds) / needed));
    this.endAfter(step + steps);
  };

  /** Seconds of a step at a position of the schedule, as measured by the warm-up and since. */
  #stepSecAt(position: number): number {
    const known = this.#stageSec.get(this.#scheduledStageAt(Math.floor(position) + 1).key);
    if (known !== undefined) return known;
    throw new TrainError(
      'train: endIn() was called before warmUp(), which measures steps. Call that first.',
    );
  }

  readonly endAfter: Trainer['endAfter'] = (steps: number): void => {
    this.#pace.endAfter(steps, this.#stepsOver());
  };

  /** Steps of training that are over. */
  #stepsOver(): number {
    return this.#finished * this.stepsPerEpoch + (this.#unfinished?.batches ?? 0);
  }

  readonly warmUp: Trainer['warmUp'] = async (): Promise<WarmUp> => {
    const learnt = await this.#readLearnt();
    const batches = this.#plainTraining();
    const stages = this.#stageCounts();
    let trainSec = 0;
    for (const { stage, first, steps } of stages) {
      const stepSec = await this.#stepSec(batches, (feeds) => this.#train(feeds, first));
      this.#stageSec.set(stage.key, stepSec);
      trainSec += steps * stepSec;
    }
    const { validStepSec, evaluationSec } = await this.#warmUpEvaluation({});
    const midway = this.#midway();
    const midwaySec =
      midway === undefined ? evaluationSec : (await this.#warmUpEvaluation(midway)).evaluationSec;
    this.session.write(learnt);
    const trainStepSec = trainSec / this.steps;
    const epochSec = this.stepsPerEpoch * trainStepSec + midwaySec;
    return { epochSec, trainStepSec, validStepSec, evaluationSec, midwaySec };
  };

  async #warmUpEvaluation(
    how: Evaluation,
  ): Promise<Pick<WarmUp, 'validStepSec' | 'evaluationSec'>> {
    const validation = this.#validation(how.images);
    const steps = this.#validFor(how);
    const validStepSec = await this.#stepSec(validation, (feeds) =>
      steps.run(this.#validFeeds(feeds)),
    );
    return { validStepSec, evaluationSec: validation.batches.length * validStepSec };
  }

  /** How test images are evaluated after every epoch but the last; undefined if as after the last. */
  #midway(): Evaluation | undefined {
    const { midwayImages } = this.#training;
    return midwayImages === undefined ? undefined : { images: midwayImages, tta: false };
  }

  /** Seconds that a batch takes in calls of this kind, as a mean; of single batches the first one stands for all. */
  async #stepSec(
    { batches, ...choices }: EpochBatches,
    run: (feeds: readonly BatchFeed[]) => Promise<unknown>,
  ): Promise<number> {
    const { clock } = this.#context;
    const calls = callsOf(batches, this.stepsPerCall);
    const kinds = new Map(calls.map((call) => [`${call.length} ${call[0].length}`, call]));
    let seconds = 0;
    let steps = 0;
    for (const call of this.stepsPerCall === 1 ? [calls[0]] : kinds.values()) {
      const feeds = feedsOf(call, choices);
      await run(feeds);
      const start = clock();
      await run(feeds);
      seconds += clock() - start;
      steps += call.length;
    }
    return seconds / steps;
  }

  readonly runEpoch: Trainer['runEpoch'] = async (epoch: number): Promise<EpochRow> => {
    const timer = this.#timer;
    timer({ isCounted: false });
    const before = (epoch === this.#finished + 1 ? this.#unfinished : undefined) ?? nothing;
    this.#finished = epoch - 1;
    this.#unfinished = undefined;
    const drawn = this.#draw(epoch);
    const offset = (epoch - 1) * this.stepsPerEpoch;
    const batches = drawn.batches.slice(0, Math.max(0, this.steps - offset));
    /** Keeps what is done of the epoch, the seconds since it began or continued included. */
    const keep = async (done: number, timeSec: number): Promise<void> => {
      const { totals } = await this.session.read('totals');
      this.#unfinished = { batches: done, timeSec: before.timeSec + timeSec, totals };
    };
    const train = await runPhase(this.#context, {
      name: 'train',
      epoch,
      epochs: this.epochs,
      batches,
      run: (some, first) => this.#train(feedsOf(some, drawn), offset + first + 1),
      before,
      endsCall: (index) => this.#endsCall(offset + index + 1),
      onStop: (index) => keep(index, timer()),
      meanwhile: () => epoch < this.epochs && this.#draw(epoch + 1),
    });
    const timeSec = timer();
    await keep(batches.length, timeSec);
    const how = epoch < this.epochs ? this.#midway() : undefined;
    const valid = await this.#evaluateAll(epoch, how ?? {});
    const validTime = timer({ isCounted: false });
    this.#finished = epoch;
    this.#unfinished = undefined;
    return {
      epoch,
      lr: this.#lrAfter(offset + batches.length),
      train: { time: before.timeSec + timeSec, ...train },
      valid: { time: validTime, ...valid },
      'total time': timer.totalSec(),
    };
  };

  readonly restart: Trainer['restart'] = (
    seed: number,
    examples?: Pick<Training, 'train' | 'valid'>,
  ): void => {
    if (examples !== undefined) {
      checkSameCounts(this.#examples, examples);
      this.session.write(this.#resident(examples));
      this.#examples = { train: examples.train, valid: examples.valid };
    }
    this.#seed = seed;
    this.#drawn = undefined;
    this.session.write(this.#start(this.#examples.train));
    this.#finished = 0;
    this.#unfinished = undefined;
    this.#timer = startTimer(this.#context.clock);
  };

  /** The schedule's value once so many steps are over. */
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
    this.#pace.restore(snapshot.pace ?? [{ step: 0, position: 0, rate: 1 }]);
    this.#finished = snapshot.epoch;
    this.#unfinished = snapshot.unfinished;
    this.#timer = startTimer(this.#context.clock, snapshot.totalSec);
  };

  readonly flops: Trainer['flops'] = (): RunFlops => {
    const flopsOfName = (name: string): number => {
      const recording = this.session.recordings.find((each) => each.name === name);
      if (recording === undefined) {
        throw new TrainError(
          'train: flops() counts a recorded graph, and eager mode has none. Capture the steps.',
        );
      }
      return countFlops(recording);
    };
    const plain = this.#plainTraining();
    const [feed] = feedsOf(plain.batches.slice(0, 1), plain);
    let train = 0;
    for (const { stage, first, steps } of this.#stageCounts()) {
      const name = this.#trainFor(stage).record([this.#trainFeed(feed, first)]);
      train += steps * flopsOfName(name);
    }
    const validation = this.#validation();
    const evaluation = validation.batches.reduce((sum, batch) => {
      return (
        sum + flopsOfName(this.#validFor({}).record(this.#validFeeds(feedsOf([batch], validation))))
      );
    }, 0);
    return { train, evaluation };
  };

  readonly dispose: Trainer['dispose'] = (): void => {
    this.session.dispose();
  };

  #resident(
    examples: Readonly<Record<'train' | 'valid', Examples>>,
  ): Pick<TrainingState, 'train' | 'valid'> {
    const { imageShape = [32, 32, 3] } = this.#training;
    const split = (name: 'train' | 'valid'): TrainingState['train'] => {
      const { images, labels } = examples[name];
      checkExamples(name, examples[name], imageShape);
      return residentSplit(images, labels, imageShape[2]);
    };
    return { train: split('train'), valid: split('valid') };
  }

  /** What a run starts with, by the seed. */
  #start(examples: Examples): Learnt {
    const { model, ema, lookahead, start, extraState: extra = {} } = this.#training;
    const drawn = initNetwork(model.graph, createRng(this.#seed, 'init'));
    const network = start?.(drawn, examples) ?? drawn;
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

  #captureEma(): (() => Promise<unknown>) | undefined {
    const { ema } = this.#training;
    if (ema === undefined) return undefined;
    const run = this.session.capture(
      'ema',
      (state) => ({ state: { ema: updateEma(ema, state.ema, state.network) } }),
      {},
    );
    return () => run({});
  }

  #captureLookahead(): LookaheadRuns | undefined {
    const { lookahead, ema } = this.#training;
    if (lookahead === undefined) return undefined;
    if (ema !== undefined) {
      throw new TrainError('train: "ema" and "lookahead" are both set. Give one of them.');
    }
    const start = this.session.capture(
      'start of lookahead',
      ({ network }) => ({ state: { ema: Object.fromEntries(Object.entries(network)) } }),
      {},
    );
    const update = this.session.capture(
      'lookahead',
      (state) => {
        const slow = updateLookahead(lookahead, state.ema, state.network);
        return { state: { ema: slow, network: slow } };
      },
      {},
    );
    return { start: () => start({}), update: () => update({}) };
  }

  #lookaheadAfter(step: number): LookaheadAction {
    const { lookahead } = this.#training;
    if (lookahead === undefined) return 'nothing';
    return lookaheadAction(lookahead, step, this.stepsPerEpoch, (steps) =>
      this.#pace.positionAt(steps),
    );
  }

  /** Whether a call must end with this step, counted from 1 over the run. */
  #endsCall(step: number): boolean {
    return (
      this.#stageAt(step) !== this.#stageAt(step + 1) || this.#lookaheadAfter(step) !== 'nothing'
    );
  }

  #trainFor(stage: Stage): Steps {
    const found =
      this.#trainSteps.get(stage) ??
      perShape(
        this.session,
        stage.key === '' ? 'train' : `train, ${stage.key}`,
        trainStepOf(this.#training, this.#tables, stage),
      );
    this.#trainSteps.set(stage, found);
    return found;
  }

  /** Captured when it is first asked for. */
  #validFor(how: Evaluation): Steps {
    const { ema, tta: usual = false } = this.#training;
    const { usesEma = ema !== undefined, tta = usual } = how;
    if (usesEma && ema === undefined) {
      throw new TrainError(
        'train: the average is to be evaluated, and none is kept. Give the training an "ema".',
      );
    }
    const name = `valid${usesEma ? ' ema' : ''}${tta === false ? '' : tta === true ? ' tta' : ` ${tta}`}`;
    const { source } = this.#tables;
    const found =
      this.#validSteps.get(name) ??
      perShape(this.session, name, validStepOf(this.#training, source, { usesEma, tta }));
    this.#validSteps.set(name, found);
    return found;
  }

  /** Order and augmentation of an epoch, drawn while the one before it runs. */
  #draw(epoch: number): EpochBatches {
    if (this.#drawn?.epoch === epoch) return this.#drawn.of;
    const count = this.#examples.train.labels.length;
    const { padded } = this.#tables;
    const of = drawEpoch({ ...this.#training, count, padded }, this.#seed, epoch);
    this.#drawn = { epoch, of };
    return of;
  }

  #plainTraining(): EpochBatches {
    const { batchSize, dropLast = true, jitter } = this.#training;
    const count = this.#examples.train.labels.length;
    return plainBatches(count, { batchSize, dropLast }, jitter !== undefined);
  }

  #validation(images = this.#examples.valid.labels.length): EpochBatches {
    const { batchSize, validBatchSize = batchSize } = this.#training;
    const count = Math.min(images, this.#examples.valid.labels.length);
    return plainBatches(count, { batchSize: validBatchSize });
  }

  /** Each stage, its first step (from 1) and its number of steps. */
  #stageCounts(): { readonly stage: Stage; readonly first: number; readonly steps: number }[] {
    const counts = new Map<Stage, { first: number; steps: number }>();
    for (let step = 1; step <= this.steps; step++) {
      const stage = this.#stageAt(step);
      const found = counts.get(stage) ?? { first: step, steps: 0 };
      found.steps += 1;
      counts.set(stage, found);
    }
    return [...counts].map(([stage, count]) => ({ stage, ...count }));
  }

  #trainFeed(batch: BatchFeed, step: number): StepFeed {
    return { batch, hyper: this.#hyperAt(step), step };
  }

  /** Runs steps of one stage in one call; `step` is the first, counted from 1 over the run. */
  async #train(batches: readonly BatchFeed[], step: number): Promise<void> {
    const { ema } = this.#training;
    const feeds = batches.map((batch, index) => this.#trainFeed(batch, step + index));
    const stage = this.#stageAt(step);
    const steps = this.#trainFor(stage);
    const measured = this.#stageSec.get(stage.key);
    const before = measured === undefined ? 0 : this.#context.clock();
    const isDue = (index: number): boolean =>
      ema !== undefined && isEmaStep(ema, (step - 1 + index) % this.stepsPerEpoch);
    if (step === 1 && this.#lookaheadAfter(0) === 'start') await this.#lookahead?.start();
    if (feeds.length === 1 || ema === undefined) {
      await steps.run(feeds);
      if (isDue(0)) await this.#runEma?.();
    } else {
      await steps.run(feeds.map((feed, index) => ({ ...feed, isAveraged: isDue(index) ? 1 : 0 })));
    }
    const action = this.#lookaheadAfter(step + feeds.length - 1);
    if (action !== 'nothing') await this.#lookahead?.[action]();
    if (measured !== undefined) {
      const now = (this.#context.clock() - before) / feeds.length;
      this.#stageSec.set(stage.key, 0.9 * measured + 0.1 * now);
    }
  }

  #validFeeds(batches: readonly BatchFeed[]): StepFeed[] {
    return batches.map((batch) => ({ batch, hyper: noHyper, step: 0 }));
  }

  async #evaluateAll(epoch: number, how: Evaluation): Promise<Omit<Figures, 'time'>> {
    const validation = this.#validation(how.images);
    const steps = this.#validFor(how);
    const { ema } = this.#training;
    // Max pooling passes over NaN, so its loss could be finite.
    const part = (how.usesEma ?? ema !== undefined) ? 'ema' : 'network';
    const bad = firstNotFinite(Object.entries((await this.session.read(part))[part]));
    if (bad !== undefined) {
      throw new DivergedError(
        `train: after epoch ${epoch} ${bad}. Lower the learning rate, or start it lower.`,
        { epoch },
      );
    }
    return runPhase(this.#context, {
      name: 'valid',
      epoch,
      epochs: this.epochs,
      batches: validation.batches,
      run: (batches) => steps.run(this.#validFeeds(feedsOf(batches, validation))),
    });
  }
}

function stepsPerCallOf({ engine }: Training, stepsPerEpoch: number): number {
  const isAllAtOnce = engine?.mode !== 'eager' && loadTensorflow().gpu;
  return engine?.stepsPerCall ?? (isAllAtOnce ? stepsPerEpoch : 1);
}
