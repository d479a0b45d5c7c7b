import type { GatherTables } from '../augment/gather';
import { TrainError } from '../base/errors';
import { countFlops } from '../engine/flops';
import type { Session } from '../engine/session';
import { emaShares, isEmaStep, updateEma } from '../optim/ema';
import type { Ema, EmaShares } from '../optim/ema';
import type { GroupedHyperFeed } from '../optim/hyper';
import { lookaheadAction, updateLookahead } from '../optim/lookahead';
import type { LookaheadAction } from '../optim/lookahead';
import type { BatchFeed } from './batches';
import { perShape } from './calls';
import type { StepFeed, Steps } from './calls';
import type { Stage } from './stages';
import { trainStepOf, validStepOf } from './trainer-steps';
import type { Evaluation, Training, TrainingState } from './training';

/** What a step of a run depends on besides its batch. Steps count from 1 over the run. */
export interface StepSchedule {
  readonly stageAt: (step: number) => Stage;
  readonly hyperAt: (step: number) => GroupedHyperFeed;
  /** The position in the schedule after a number of training steps. */
  readonly positionAt: (steps: number) => number;
  readonly stepsPerEpoch: number;
}

type LookaheadRuns = Readonly<Record<'start' | 'update', () => Promise<unknown>>>;

const noHyper: GroupedHyperFeed = { lr: 0, weightDecay: 0, momentum: 0 };

/** Runs training and evaluation steps, and the updates that follow a step: moving average and lookahead. */
export class StepRunner {
  readonly #session: Session<TrainingState>;
  readonly #training: Training;
  readonly #tables: GatherTables;
  readonly #schedule: StepSchedule;
  readonly #trainSteps = new Map<Stage, Steps>();
  readonly #validSteps = new Map<string, Steps>();
  readonly #runEma: ((step: number) => Promise<unknown>) | undefined;
  readonly #lookahead: LookaheadRuns | undefined;

  constructor(
    session: Session<TrainingState>,
    training: Training,
    tables: GatherTables,
    schedule: StepSchedule,
  ) {
    this.#session = session;
    this.#training = training;
    this.#tables = tables;
    this.#schedule = schedule;
    this.#runEma = this.#captureEma();
    this.#lookahead = this.#captureLookahead();
  }

  /** Runs training steps of one stage in one call; `step` is the number of the first. */
  async train(batches: readonly BatchFeed[], step: number): Promise<void> {
    if (step === 1 && this.#lookaheadAfter(0) === 'start') await this.#lookahead?.start();
    await this.#trainFor(this.#schedule.stageAt(step)).run(this.#trainFeeds(batches, step));
    if (batches.length === 1 && this.#isAverageDue(step)) await this.#runEma?.(step);
    const action = this.#lookaheadAfter(step + batches.length - 1);
    if (action !== 'nothing') await this.#lookahead?.[action]();
  }

  /**
   * Evaluates batches in one call.
   *
   * @throws TrainError if the average is requested but none is kept
   */
  async evaluate(batches: readonly BatchFeed[], how: Evaluation): Promise<void> {
    await this.#validFor(how).run(validFeeds(batches));
  }

  /** Captures the call that {@link train} makes for batches of these sizes, and returns the recording's name. */
  recordTrain(batches: readonly BatchFeed[], step: number): string {
    const steps = this.#trainFor(this.#schedule.stageAt(step));
    return steps.record(this.#trainFeeds(batches, step));
  }

  /** Captures the call that {@link evaluate} makes for batches of these sizes, and returns the recording's name. */
  recordEvaluation(batches: readonly BatchFeed[], how: Evaluation): string {
    return this.#validFor(how).record(validFeeds(batches));
  }

  /** FLOP of the recording of this name. @throws TrainError in eager mode, which records nothing */
  flopsOf(name: string): number {
    const recording = this.#session.recordings.find((each) => each.name === name);
    if (recording === undefined) {
      throw new TrainError(
        'train: flops() counts a recorded graph, and eager mode has none. Capture the steps.',
      );
    }
    return countFlops(recording);
  }

  /** Whether a call must end with this step. */
  endsCall(step: number): boolean {
    const { stageAt } = this.#schedule;
    return stageAt(step) !== stageAt(step + 1) || this.#lookaheadAfter(step) !== 'nothing';
  }

  /** The feeds of a call. A loop updates the average itself; after a single step, the update is a separate call. */
  #trainFeeds(batches: readonly BatchFeed[], first: number): StepFeed[] {
    const { ema } = this.#training;
    return batches.map((batch, index) => {
      const step = first + index;
      const feed = { batch, hyper: this.#schedule.hyperAt(step), step };
      if (ema === undefined || batches.length === 1) return feed;
      const isDue = this.#isAverageDue(step) ? 1 : 0;
      return { ...feed, average: { ...this.#sharesAt(ema, step), isDue } };
    });
  }

  #isAverageDue(step: number): boolean {
    const { ema } = this.#training;
    return ema !== undefined && isEmaStep(ema, (step - 1) % this.#schedule.stepsPerEpoch);
  }

  #sharesAt(ema: Ema, step: number): EmaShares<number> {
    const { positionAt } = this.#schedule;
    return emaShares(ema, positionAt(step) - positionAt(step - 1));
  }

  #trainFor(stage: Stage): Steps {
    const found =
      this.#trainSteps.get(stage) ??
      perShape(
        this.#session,
        stage.key === '' ? 'train' : `train, ${stage.key}`,
        trainStepOf(this.#training, this.#tables, stage),
      );
    this.#trainSteps.set(stage, found);
    return found;
  }

  #validFor(how: Evaluation): Steps {
    const { ema, tta: usual = false } = this.#training;
    const { usesEma = ema !== undefined, tta = usual } = how;
    if (usesEma && ema === undefined) {
      throw new TrainError(
        'train: cannot evaluate averaged weights: the training has no "ema". Set "ema".',
      );
    }
    const name = `valid${usesEma ? ' ema' : ''}${tta === false ? '' : tta === true ? ' tta' : ` ${tta}`}`;
    const { source } = this.#tables;
    const found =
      this.#validSteps.get(name) ??
      perShape(this.#session, name, validStepOf(this.#training, source, { usesEma, tta }));
    this.#validSteps.set(name, found);
    return found;
  }

  #lookaheadAfter(step: number): LookaheadAction {
    const { lookahead } = this.#training;
    if (lookahead === undefined) return 'nothing';
    const { stepsPerEpoch, positionAt } = this.#schedule;
    return lookaheadAction(lookahead, step, stepsPerEpoch, positionAt);
  }

  #captureEma(): ((step: number) => Promise<unknown>) | undefined {
    const { ema } = this.#training;
    if (ema === undefined) return undefined;
    const run = this.#session.capture(
      'ema',
      (state, shares) => ({ state: { ema: updateEma(ema, state.ema, state.network, shares) } }),
      emaShares(ema),
    );
    return (step) => run(this.#sharesAt(ema, step));
  }

  #captureLookahead(): LookaheadRuns | undefined {
    const { lookahead } = this.#training;
    if (lookahead === undefined) return undefined;
    const start = this.#session.capture(
      'start of lookahead',
      ({ network }) => ({ state: { ema: Object.fromEntries(Object.entries(network)) } }),
      {},
    );
    const update = this.#session.capture(
      'lookahead',
      (state) => {
        const slow = updateLookahead(lookahead, state.ema, state.network);
        return { state: { ema: slow, network: slow } };
      },
      {},
    );
    return { start: () => start({}), update: () => update({}) };
  }
}

function validFeeds(batches: readonly BatchFeed[]): StepFeed[] {
  return batches.map((batch) => ({ batch, hyper: noHyper, step: 0 }));
}
