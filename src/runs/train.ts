import { RunError } from '../base/errors';
import type { Experiment, Scale } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';
import { lastCheckpoint, secondsIn } from './checkpoint';
import type { Found } from './checkpoint';
import { holding, openRunFolder } from './folder';
import type { RunFolder } from './folder';
import { loadOver } from './load';
import { checkRunEngine, configOf, differences, planAfter, planRun } from './run';
import type { Budget, FinishedRun, PlannedRun, RunEngine } from './run';
import { readPlan } from './run-file';
import { createStore, openStore } from './store';
import { trainToEnd } from './train-to-end';
import type { RunOptions } from './train-to-end';
import { fixed } from '../text/fixed';
import { wallClock } from '../train/timer';
import { counted } from '../text/counted';

/** How {@link trainExperiment} trains. */
export interface TrainOptions extends RunOptions {
  /** Determines initial weights, order and augmentation. */
  readonly seed: number;
  /** Default: the scale of the experiment; full if it has none. */
  readonly scale?: Scale;
  /** How steps are executed. Default: captured, in the fastest precision of this hardware. */
  readonly engine?: RunEngine;
  /** The folder in which the run's folder is created. Default: nothing is stored on disk. */
  readonly logDir?: string;
  /** The time that the run may take, including evaluation; the run is lengthened or shortened to fit. Default: no budget. */
  readonly budget?: Budget;
  /** A run that would take more seconds than this on this machine gets a budget of two thirds of them. Default: no limit. */
  readonly atMostSec?: number;
}

/** How {@link resumeRun} resumes. */
export interface ResumeOptions extends RunOptions {
  /** Resume although results will not be bit-identical to those of an uninterrupted run; noted in `run.json`. */
  readonly isInexact?: boolean;
  /** Seconds that this process has used so far, which count for a run with a time budget. Default: 0. */
  readonly startSec?: number;
  /** Called with a message for each damaged checkpoint and how it was handled. */
  readonly onNotice?: (text: string) => void;
}

/**
 * Trains an experiment from its first epoch to its last, and stores the run in a folder.
 *
 * The folder is `<logDir>/<experiment>-<scale>-<seed>`, with `-2`, `-3` if that exists; it is created when everything is ready
 * to train. `docs/runs.md` lists its files. Each file is written atomically. After each epoch a checkpoint is written, from
 * which {@link resumeRun} gives a bit-identical result.
 *
 * @throws ExperimentError if the experiment already has another scale
 * @throws RunError if `engine` has an option that a run does not keep; if the folder, or later a file in it, cannot be written; what was written before stays
 * @throws DivergedError if the loss is NaN or infinite; `run.json` stores epoch and step. An experiment with `mayDiverge`
 *   ends without an error instead, if an epoch is finished
 * @throws InterruptedError if the signal stops the run; a checkpoint of its current state is written first
 */
export async function trainExperiment(
  experiment: Experiment,
  { seed, scale, engine = {}, logDir, budget, atMostSec, ...options }: TrainOptions,
): Promise<FinishedRun> {
  const { clock = wallClock } = options;
  const startedAt = clock();
  checkRunEngine(engine);
  const at = scale === undefined ? experiment : scaled(experiment, scale);
  const { checkpoints = 2 } = options;
  const { algorithms } = engine;
  const plan = {
    ...planRun(at, options.data, seed, engine),
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(budget === undefined ? {} : { budget }),
  };
  const limited = { ...options, startedAt, ...(atMostSec === undefined ? {} : { atMostSec }) };
  return trainToEnd(plan, limited, async (run) =>
    logDir === undefined ? undefined : createStore(logDir, run, checkpoints),
  );
}

/**
 * Resumes a run that was interrupted or killed. On the same kind of machine with the same TensorFlow the result is
 * bit-identical to that of an uninterrupted run.
 *
 * Everything that determines the run is read from its folder, including threads and algorithms. It resumes from the last intact
 * checkpoint, or from epoch 1 if there is none; logs of later epochs are removed. Seconds of training are added to those of the
 * checkpoint.
 *
 * @param path of the run's folder
 * @throws RunError if the folder holds no run, a finished one, or one that another process trains; if all its checkpoints
 *   are damaged or belong to another run; if something that affects results has changed, unless `isInexact`
 * @throws EngineError if TensorFlow already runs with another number of threads in this process
 * @throws DivergedError, InterruptedError as {@link trainExperiment}
 */
export async function resumeRun(path: string, options: ResumeOptions): Promise<FinishedRun> {
  const { clock = wallClock, startSec = 0 } = options;
  const startedAt = clock() - startSec;
  const folder = await openRunFolder(path);
  return holding(folder, async () => {
    const before = await readPlan(folder.path);
    if (before.result !== undefined) {
      throw new RunError(
        `run: ${folder.path} is finished: ${counted(before.result.epochs ?? before.rows.length, 'epoch')}, ${fixed(before.result.accPercent, 2)} % test ` +
          `accuracy. Train it further with --epochs +N, or ${before.name} again with another seed.`,
      );
    }
    const { experiment, started, resumed, continues, checkpoints = 2, budget } = before;
    const plan: PlannedRun = {
      ...planAfter(before, experiment, options.data),
      started,
      ...(resumed === undefined ? {} : { resumed }),
      ...(budget === undefined ? {} : { budget }),
      ...(continues === undefined ? {} : { continues }),
      checkpoints: options.checkpoints ?? checkpoints,
      path: folder.path,
    };
    checkSame(before, plan, options);
    const found = await checkpointOf(folder, plan, options);
    const { checkpoint, name } = found;
    const load = checkpoint && (checkpoint.load ?? loadOver(secondsIn(checkpoint), before.load));
    return trainToEnd(
      { ...plan, ...(load === undefined ? {} : { load }) },
      { ...options, startedAt },
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

/** Lists what changed since a run was planned. @throws RunError if something did, unless `isInexact` */
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
