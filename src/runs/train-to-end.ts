import type { Experiment } from '../catalogue/experiment';
import type { Cifar10 } from '../data/cifar10';
import type { EpochRow, Trainer, WarmUp, Watch } from '../train/training';
import { keepBudget, shortenedShare } from './budget';
import type { BudgetFlag } from './budget';
import type { Checkpoint, KeptCheckpoints } from './checkpoint';
import { createPace, runEpochs, watchAt } from './epochs';
import type { RunProgress, TrainedEpochs } from './epochs';
import { checkDuration } from './feasible';
import { addLoads, loadBetween, readLoadSample } from './load';
import type { Load } from './load';
import { resultOf } from './prepare';
import type { Budget, FinishedRun, PlannedRun, Result } from './run';
import type { RunStore } from './store';
import { TrainerCache } from './trainer-cache';

/** Options that do not affect a run's result. */
export interface RunOptions extends Pick<Watch, 'signal' | 'clock'> {
  readonly data: Cifar10;
  /**
   * The number of newest checkpoints to keep, or all; 0 for none, in which case a resumed run starts from epoch 1.
   * Default: 2; for a resumed run, as before.
   */
  readonly checkpoints?: KeptCheckpoints;
  /** Reuses the trainer of the last run and caches this one for the next. Default: no cache. A run with a budget uses none. */
  readonly trainers?: TrainerCache;
  /** Called before anything is put on the device. */
  readonly onPrepare?: (run: PlannedRun) => void;
  /** Called when training starts or resumes, with estimates of its time. */
  readonly onStart?: (run: PlannedRun, expected: Expected) => void | Promise<void>;
  /** Called about once a second. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Called after each epoch, before its files are written. */
  readonly onEpoch?: (row: EpochRow) => void;
}

/** Estimates for a run when training starts or resumes. */
export interface Expected extends Pick<Result, 'pflop'> {
  /** Seconds of an epoch, including its evaluation. */
  readonly epochSec: number;
  /** Epochs of the whole run; can be fractional. */
  readonly epochs: number;
  /** Seconds that the run would have taken, if it was shortened to stay below `atMostSec`. */
  readonly shortenedFromSec?: number;
}

/**
 * Trains the rest of a run, from a checkpoint or from epoch 1. New, resumed and extended runs all use this function.
 *
 * @param startedAt when the run started or resumed, on the clock, for its time budget; default: now
 * @param atMostSec a run that would take longer, by the faster of two warm-ups, gets a budget of {@link shortenedShare} of it
 * @param open opens the store of the run once it is ready to train
 * @throws RunError, DivergedError, InterruptedError, with a note on what the store kept
 */
export async function trainToEnd(
  plan: PlannedRun,
  {
    data,
    onPrepare,
    onStart,
    onEpoch,
    atMostSec,
    startedAt,
    trainers: lent,
    ...watch
  }: RunOptions & { readonly startedAt?: number; readonly atMostSec?: number },
  open: (run: PlannedRun) => Promise<RunStore | undefined>,
  from?: Checkpoint,
): Promise<FinishedRun> {
  onPrepare?.(plan);
  const { experiment } = plan;
  const pace = createPace(watch.clock);
  const since = startedAt ?? pace.clock();
  const hasBudget = plan.budget !== undefined || atMostSec !== undefined;
  const trainers = hasBudget || lent === undefined ? new TrainerCache() : lent;
  if (trainers !== lent) lent?.dispose();
  const {
    trainer,
    warmUp: firstWarmUp,
    imagesPerEpoch,
    ...prepared
  } = await trainers.ready(plan, {
    data,
    ...(from === undefined ? {} : { from: from.snapshot }),
    ...watchAt(pace, watch),
  });
  let isOver = false;
  let store: RunStore | undefined;
  let sample = readLoadSample();
  const loadSoFar = (): Load => addLoads(plan.load, loadBetween(sample, readLoadSample()));
  try {
    const isTooLong = firstWarmUp.epochSec * trainer.epochs > (atMostSec ?? Infinity);
    // Other programs may have disturbed the warm-up, and a run that is shortened for nothing would miss its accuracy.
    const warmUp = isTooLong ? faster(firstWarmUp, await trainer.warmUp()) : firstWarmUp;
    pace.epochSec = warmUp.epochSec;
    const algorithms = [...trainer.session.algorithms];
    const { preprocessSec = prepared.preprocessSec } = plan;
    const unfinishedSec = from?.snapshot.unfinished?.timeSec ?? 0;
    const rows = from?.rows ?? [];
    const wanted = plan.budget ?? limitOf(atMostSec, pace.epochSec * trainer.epochs);
    const setBy = wanted && budgetFlagOf(plan, atMostSec);
    const keeper =
      wanted &&
      keepBudget(wanted, rows, {
        trainer,
        warmUp,
        clock: pace.clock,
        startedAt: since,
        unfinishedSec,
        afterwardsSec: afterwardsSec(experiment, warmUp),
        ...(setBy === undefined ? {} : { setBy }),
      });
    checkDuration(
      pace.epochSec * (trainer.epochs - rows.length),
      setBy && `Give a shorter ${setBy.flag}.`,
    );
    const budget = keeper && { budget: keeper.budget };
    const ready = { ...plan, algorithms, preprocessSec, rows, ...budget };
    store = await open(ready);
    const run = { ...ready, ...store?.run };
    await onStart?.(run, {
      epochSec: pace.epochSec,
      epochs: trainer.epochs,
      ...pflopOf(trainer),
      ...(wanted === plan.budget
        ? {}
        : { shortenedFromSec: pace.epochSec * experiment.run.epochs }),
    });
    sample = readLoadSample();
    const trained = await runEpochs(trainer, {
      rows: run.rows,
      unfinishedSec,
      pace,
      onEpoch: async (row, done) => {
        onEpoch?.(row);
        await store?.epoch(done, await trainer.save(), loadSoFar());
        if (done.length < trainer.epochs) keeper?.keep(done);
      },
      ...(keeper === undefined ? {} : { onCall: keeper.follow }),
    });
    const load = loadSoFar();
    const result = await endOf(run, trained, trainer, imagesPerEpoch);
    const { learnt: state } = await trainer.save();
    await store?.finish({ result, load });
    isOver = true;
    return { ...run, algorithms, preprocessSec, rows: trained.rows, result, load, state };
  } catch (error) {
    throw store === undefined ? error : await store.fail(error, trainer, loadSoFar());
  } finally {
    store?.close();
    if (trainers !== lent || !isOver) trainers.dispose();
  }
}

/** The smaller value of each time. */
function faster(one: WarmUp, other: WarmUp): WarmUp {
  const least = (key: keyof WarmUp): number => Math.min(one[key], other[key]);
  return {
    epochSec: least('epochSec'),
    trainStepSec: least('trainStepSec'),
    validStepSec: least('validStepSec'),
    evaluationSec: least('evaluationSec'),
    midwaySec: least('midwaySec'),
  };
}

/** The budget of a run that would exceed its time limit; undefined if it does not. */
function limitOf(atMostSec: number | undefined, expectedSec: number): Budget | undefined {
  if (atMostSec === undefined || expectedSec <= atMostSec) return undefined;
  return { seconds: shortenedShare * atMostSec, spentSec: 0 };
}

/** Seconds of the evaluation with mirrored images that some experiments add after their last epoch. */
function afterwardsSec({ run }: Experiment, { evaluationSec }: WarmUp): number {
  const views = 2;
  return run.finalTta === true ? views * evaluationSec : 0;
}

/** The flag that set the budget of a new run; undefined for a resumed one, which already has a folder. */
function budgetFlagOf(
  { budget, path }: Pick<PlannedRun, 'budget' | 'path'>,
  atMostSec: number | undefined,
): BudgetFlag | undefined {
  if (budget === undefined) {
    return atMostSec === undefined ? undefined : { flag: '--at-most', seconds: atMostSec };
  }
  return path === undefined ? { flag: '--budget', seconds: budget.seconds } : undefined;
}

/** The result of the epochs. @throws DivergedError if they diverged, unless `mayDiverge` is set and an epoch is finished */
export async function endOf(
  { experiment }: Pick<PlannedRun, 'experiment'>,
  { rows, diverged }: TrainedEpochs,
  trainer: Trainer,
  imagesPerEpoch: number,
): Promise<Result> {
  const { finalTta = false, mayDiverge = false } = experiment.run;
  const images = Math.min(rows.length * imagesPerEpoch, trainer.steps * experiment.data.batchSize);
  if (diverged !== undefined) {
    if (!mayDiverge || rows.length === 0) throw diverged;
    return { ...resultOf(rows, images), divergedIn: diverged.epoch };
  }
  const result = { ...resultOf(rows, images), ...pflopOf(trainer) };
  if (!finalTta) return result;
  const { acc, loss } = await trainer.evaluate({ tta: true });
  return { ...result, tta: { accPercent: 100 * acc, loss } };
}

/** The operations of a run; nothing in eager mode, which has no graphs to count them in. */
function pflopOf(trainer: Trainer): Pick<Result, 'pflop'> {
  if (trainer.session.mode === 'eager') return {};
  const { train, evaluation } = trainer.flops();
  return { pflop: (train + evaluation) / 1e15 };
}
