import { RunError } from '../base/errors';
import type { Experiment, Scale } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import { scaled } from '../catalogue/scale';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { draw } from '../graph/draw';
import type { EpochRow, Trainer, Watch } from '../train/training';
import { lastCheckpoint } from './checkpoint';
import type { Checkpoint, Found, KeptCheckpoints } from './checkpoint';
import { keepBudget } from './budget';
import { createPace, runEpochs, watchAt } from './epochs';
import type { RunProgress, TrainedEpochs } from './epochs';
import { checkDuration } from './feasible';
import { createRunFolder, openRunFolder } from './folder';
import type { RunFolder } from './folder';
import { prepareRun, resultOf } from './prepare';
import { configOf, differences, planRun } from './run';
import type { Budget, FinishedRun, PlannedRun, Result } from './run';
import { readPlan } from './run-file';
import { openStore } from './store';
import type { RunStore } from './store';

/** Options that change nothing about a run's result. */
export interface RunOptions extends Pick<Watch, 'signal' | 'clock'> {
  readonly data: Cifar10;
  /**
   * How many checkpoints to keep: the last so many, or all; 0 for none, after which a resumed run starts from epoch 1.
   * Default: 2; of a resumed run, as before.
   */
  readonly checkpoints?: KeptCheckpoints;
  /** Called before anything is put on the device. */
  readonly onPrepare?: (run: PlannedRun) => void;
  /** Called when training starts or resumes, with what is expected of it. */
  readonly onStart?: (run: PlannedRun, expected: Expected) => void | Promise<void>;
  /** Called about once a second. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Called after each epoch, before its files are written. */
  readonly onEpoch?: (row: EpochRow) => void;
}

/** What is known of a run when training starts or resumes. */
export interface Expected extends Pick<Result, 'pflop'> {
  /** Seconds of an epoch, its evaluation included. */
  readonly epochSec: number;
  /** Epochs of the whole run, the last one perhaps a fraction. */
  readonly epochs: number;
  /** Seconds that the run would have taken, if it is shortened to stay below {@link TrainOptions.atMostSec}. */
  readonly shortenedFromSec?: number;
}

/** How {@link trainExperiment} trains. */
export interface TrainOptions extends RunOptions {
  /** Decides starting weights, order and augmentation. */
  readonly seed: number;
  /** Default: the scale that the experiment has; full if it has none. */
  readonly scale?: Scale;
  /** How steps are executed. Default: captured, in the fastest precision of this hardware. */
  readonly engine?: SessionOptions;
  /** Where the run's folder is made. Default: nothing is kept on disk. */
  readonly logDir?: string;
  /** The time that the run may take, evaluation included: it is made longer or shorter to fit. Default: any time. */
  readonly budget?: Budget;
  /** Seconds: a run that would take longer on this machine gets a budget of two thirds of them. Default: no limit. */
  readonly atMostSec?: number;
}

/** How {@link resumeRun} resumes. */
export interface ResumeOptions extends RunOptions {
  /** Resume although results will not be bit-identical to those of an uninterrupted run; `run.json` records it. */
  readonly isInexact?: boolean;
  /** Called with what is wrong in the folder, and what is done about it. */
  readonly onNotice?: (text: string) => void;
}

/**
 * Trains an experiment from its first epoch to its last, and keeps the run in a folder.
 *
 * The folder is `<logDir>/<experiment>-<scale>-<seed>`, with `-2`, `-3` if that exists; it is made when everything is ready to
 * train. `docs/runs.md` lists its files. Each file is written whole or not at all, and after each epoch there is a
 * checkpoint, from which {@link resumeRun} gives a bit-identical result.
 *
 * @throws ExperimentError if the experiment already has another scale
 * @throws RunError if the folder, or later a file in it, cannot be written; what was written before stays
 * @throws DivergedError if the loss is NaN or infinite; `run.json` keeps epoch and step. An experiment that may diverge
 *   ends there instead, if an epoch is finished
 * @throws InterruptedError if the signal stops the run; a checkpoint of that place is written first
 */
export async function trainExperiment(
  experiment: Experiment,
  { seed, scale, engine = {}, logDir, budget, atMostSec, ...options }: TrainOptions,
): Promise<FinishedRun> {
  const at = scale === undefined ? experiment : scaled(experiment, scale);
  const { checkpoints = 2 } = options;
  const { algorithms } = engine;
  const plan = {
    ...planRun(at, options.data, seed, engine),
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(budget === undefined ? {} : { budget }),
  };
  const limited = { ...options, ...(atMostSec === undefined ? {} : { atMostSec }) };
  return trainToEnd(plan, limited, async (run) => {
    if (logDir === undefined) return undefined;
    const { name } = run;
    const folder = await createRunFolder(logDir, `${name}-${run.scale}-${seed}`);
    return held(folder, async () => {
      await folder.write('net.svg', await draw(networkOf(at), { name }));
      const kept = { ...run, path: folder.path, checkpoints };
      return openStore(folder, kept, { checkpoints, flag: '--log-dir' });
    });
  });
}

/**
 * Resumes a run that was interrupted or killed. On the same kind of machine with the same TensorFlow the result is
 * bit-identical to that of an uninterrupted run.
 *
 * Everything that decides the run is read from its folder, threads and algorithms included. It resumes from the last intact
 * checkpoint, or from epoch 1 if there is none; logs of later epochs are removed. Seconds of training count on from those of
 * the checkpoint.
 *
 * @param path of the run's folder
 * @throws RunError if the folder holds no run, a finished one, or one that another process trains; if all its checkpoints
 *   are damaged or belong to another run; if something that affects results has changed, unless `isInexact`
 * @throws EngineError if TensorFlow runs with another number of threads in this process already
 * @throws DivergedError, InterruptedError as {@link trainExperiment}
 */
export async function resumeRun(path: string, options: ResumeOptions): Promise<FinishedRun> {
  const folder = await openRunFolder(path);
  return held(folder, async () => {
    const before = await readPlan(folder.path);
    if (before.result !== undefined) {
      throw new RunError(
        `run: ${folder.path} is finished: ${before.result.epochs} epochs, ${before.result.accPercent.toFixed(2)} % test ` +
          `accuracy. Train ${before.name} again, with another seed, in a folder of its own.`,
      );
    }
    const { experiment, seed, mode, precision, xla, threads, algorithms = [] } = before;
    const engine = { mode, precision, xla, intraOpThreads: threads };
    const { started, preprocessSec, resumed, checkpoints = 2, budget } = before;
    const plan: PlannedRun = {
      ...planRun(experiment, options.data, seed, engine),
      started,
      algorithms,
      ...(preprocessSec === undefined ? {} : { preprocessSec }),
      ...(resumed === undefined ? {} : { resumed }),
      ...(budget === undefined ? {} : { budget }),
      checkpoints: options.checkpoints ?? checkpoints,
      path: folder.path,
    };
    checkSame(before, plan, options);
    const found = await checkpointOf(folder, plan, options);
    const { checkpoint, name } = found;
    return trainToEnd(
      plan,
      options,
      (run) => {
        const changed = checkSame(before, run, options);
        const resumption = {
          at: new Date().toISOString(),
          epoch: checkpoint?.snapshot.epoch ?? 0,
          batches: checkpoint?.snapshot.unfinished?.batches ?? 0,
          ...(changed.length === 0 ? {} : { differences: changed }),
        };
        return openStore(
          folder,
          { ...run, resumed: [...(resumed ?? []), resumption] },
          {
            checkpoints: run.checkpoints ?? checkpoints,
            flag: '--resume',
            ...(name === undefined ? {} : { checkpoint: name }),
          },
        );
      },
      checkpoint,
    );
  });
}

/** Runs `use`, and releases the folder if that fails. */
async function held<T>(folder: RunFolder, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    folder.release();
    throw error;
  }
}

/** What has changed since a run was planned. @throws RunError if something has, unless that is allowed */
function checkSame(
  before: PlannedRun,
  now: PlannedRun,
  { isInexact = false }: ResumeOptions,
): string[] {
  const [old, chosen] = [before, now].map(({ algorithms = [] }) =>
    algorithms.map((row) => `${row.chosen} for the ${row.pass} of ${row.shape}`).join(', '),
  );
  const found = [
    ...differences(before, now),
    ...(old === chosen
      ? []
      : [`algorithms are ${chosen || 'the defaults'}, were ${old || 'the defaults'}`]),
  ];
  if (found.length === 0 || isInexact) return found;
  throw new RunError(
    `run: ${before.path ?? now.path} would not give a bit-identical result: ${found.join('; ')}. Undo that, or resume ` +
      'with --inexact, which run.json records.',
  );
}

/** The checkpoint to resume from. @throws RunError if it belongs to another run, or none is intact */
async function checkpointOf(
  folder: RunFolder,
  plan: PlannedRun,
  { onNotice }: ResumeOptions,
): Promise<Found> {
  const found = await lastCheckpoint(folder);
  const { checkpoint, name, damaged } = found;
  for (const { name: bad, reason } of damaged) {
    onNotice?.(`${bad} is damaged and renamed to ${bad}.damaged: ${reason} Resuming from ${name}.`);
  }
  if (checkpoint === undefined || checkpoint.config === configOf(plan)) return found;
  throw new RunError(
    `run: ${name} in ${folder.path} belongs to another run than run.json there. Restore the original file, or train the ` +
      'experiment in a folder of its own.',
  );
}

/** Trains the rest of a run, from a checkpoint or from epoch 1. `open` gives its store, once it is ready to train. */
async function trainToEnd(
  plan: PlannedRun,
  {
    data,
    onPrepare,
    onStart,
    onEpoch,
    atMostSec,
    ...watch
  }: RunOptions & Pick<TrainOptions, 'atMostSec'>,
  open: (run: PlannedRun) => Promise<RunStore | undefined>,
  from?: Checkpoint,
): Promise<FinishedRun> {
  onPrepare?.(plan);
  const { experiment, seed, mode, precision, xla } = plan;
  const pace = createPace(watch.clock);
  const startedAt = pace.clock();
  const given = plan.algorithms === undefined ? {} : { algorithms: plan.algorithms };
  const { trainer, imagesPerEpoch, ...prepared } = prepareRun(experiment, data, seed, {
    engine: { mode, precision, xla, ...given },
    ...watchAt(pace, watch),
  });
  let store: RunStore | undefined;
  try {
    if (from !== undefined) await trainer.restore(from.snapshot);
    const warmUp = await trainer.warmUp();
    pace.epochSec = warmUp.epochSec;
    const algorithms = [...trainer.session.algorithms];
    const { preprocessSec = prepared.preprocessSec } = plan;
    const unfinishedSec = from?.snapshot.unfinished?.timeSec ?? 0;
    const rows = from?.rows ?? [];
    const wanted = plan.budget ?? limitOf(atMostSec, pace.epochSec * trainer.epochs);
    const keeper =
      wanted === undefined
        ? undefined
        : keepBudget(wanted, rows, {
            trainer,
            warmUp,
            clock: pace.clock,
            startedAt,
            unfinishedSec,
          });
    checkDuration(pace.epochSec * (trainer.epochs - rows.length));
    const budget = keeper === undefined ? {} : { budget: keeper.budget };
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
    const trained = await runEpochs(trainer, {
      rows: run.rows,
      unfinishedSec,
      pace,
      onEpoch: async (row, done) => {
        onEpoch?.(row);
        await store?.epoch(done, await trainer.save());
        if (done.length < trainer.epochs) keeper?.keep(done);
      },
    });
    const images = Math.min(
      trained.rows.length * imagesPerEpoch,
      trainer.steps * experiment.data.batchSize,
    );
    const result = await endOf(run, trained, trainer, images);
    const { learnt: state } = await trainer.save();
    await store?.finish({ result });
    return { ...run, algorithms, preprocessSec, rows: trained.rows, result, state };
  } catch (error) {
    throw store === undefined ? error : await store.fail(error, trainer);
  } finally {
    store?.close();
    trainer.dispose();
  }
}

/** The budget of a run that would take longer than it may. */
function limitOf(atMostSec: number | undefined, expectedSec: number): Budget | undefined {
  if (atMostSec === undefined || expectedSec <= atMostSec) return undefined;
  return { seconds: (2 / 3) * atMostSec, spentSec: 0 };
}

/** The result of trained epochs. @throws DivergedError if they diverged, and the experiment may not or finished no epoch */
async function endOf(
  { experiment }: PlannedRun,
  { rows, diverged }: TrainedEpochs,
  trainer: Trainer,
  images: number,
): Promise<Result> {
  const { finalTta = false, mayDiverge = false } = experiment.run;
  if (diverged !== undefined) {
    if (!mayDiverge || rows.length === 0) throw diverged;
    return { ...resultOf(rows, images), divergedIn: diverged.epoch };
  }
  const result = { ...resultOf(rows, images), ...pflopOf(trainer) };
  if (!finalTta) return result;
  const { acc, loss } = await trainer.evaluate({ tta: true });
  return { ...result, tta: { accPercent: 100 * acc, loss } };
}

/** What a run has computed; nothing in eager mode, which has no graphs to count in. */
function pflopOf(trainer: Trainer): Pick<Result, 'pflop'> {
  if (trainer.session.mode === 'eager') return {};
  const { train, evaluation } = trainer.flops();
  return { pflop: (train + evaluation) / 1e15 };
}
