import { join } from 'node:path';
import { InterruptedError, RunError, TrainError } from '../base/errors';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { dot } from '../graph/dot';
import { svg } from '../graph/svg';
import type { Progress } from '../text/progress';
import { tellTimeLeft } from '../text/time-left';
import { lastCheckpoint } from './checkpoint';
import type { Checkpoint, KeptCheckpoints } from './checkpoint';
import { createRunFolder, openRunFolder } from './folder';
import type { RunFolder } from './folder';
import { openRunLog } from './log';
import type { RunLog } from './log';
import type { EpochRow, Learnt, Trainer, Watch } from '../train/training';
import { wallClock } from '../train/timer';
import { configOf, describeRun, differences } from './plan';
import type { RunAbout, RunPlan } from './plan';
import type { Experiment, Scale } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import { prepareRun, resultOf } from './prepare';
import type { RunResult } from './prepare';
import { readRunFile } from './run-file';
import type { RunFile } from './run-file';
import { scaled } from '../catalogue/scale';

/** What a run is given that decides nothing about its result, and who follows it. */
export interface RunOptions extends Pick<Watch, 'signal' | 'clock'> {
  readonly data: Cifar10;
  /** How many checkpoints to keep, the last so many or all; 2 where absent. With 0, what is resumed begins anew. */
  readonly checkpoints?: KeptCheckpoints;
  /** Told what is about to be trained, before it is put on the device. */
  readonly onPrepare?: (plan: RunPlan) => void;
  /** Told when training begins, or goes on. */
  readonly onStart?: (start: RunStart) => void;
  /** Told about once a second. */
  readonly onProgress?: (progress: Progress & { readonly leftSec: number }) => void;
  /** Told of each epoch once it is over, before its files are written. */
  readonly onEpoch?: (row: EpochRow) => void;
}

/** How a record is trained, and who follows it. */
export interface TrainOptions extends RunOptions {
  /** Gives starting weights, order and augmentation. */
  readonly seed: number;
  /** The size to train in, unless the record was brought to one before; full where both are absent. */
  readonly scale?: Scale;
  /** How steps are executed; captured, in the precision that this hardware computes fastest in, where absent. */
  readonly engine?: SessionOptions;
  /** Where the run's folder is made; nothing is kept on disk where absent. */
  readonly logDir?: string;
}

/** How a run is taken up again, and who follows it. */
export interface ResumeOptions extends RunOptions {
  /** Go on even if the results will not be, bit for bit, those of an uninterrupted run; the run's record says so then. */
  readonly isInexact?: boolean;
  /** Told of what was found in the folder that is not as it should be, and of what is done about it. */
  readonly onNotice?: (text: string) => void;
}

/** What is known of a run when training begins. */
export interface RunStart {
  readonly about: RunAbout;
  /** Absent where nothing is kept. */
  readonly folder?: string;
  /** Seconds that an epoch will take, its validation included; estimated from two steps of each kind. */
  readonly epochSec: number;
  /** Epochs that were trained before, in a run that is resumed. */
  readonly rows: readonly EpochRow[];
}

/** A run that came to its end. */
export interface FinishedRun {
  readonly about: RunAbout;
  /** Absent where nothing was kept. */
  readonly folder?: string;
  readonly rows: readonly EpochRow[];
  readonly result: RunResult;
  /** Seconds that normalising took; the scripts of the study count them as training time. */
  readonly preprocessSec: number;
  /** What was learnt, by path; the network's graph is `networkOf(about.experiment)`. */
  readonly state: Learnt;
}

/**
 * Trains a record from its first epoch to its last, and keeps the run in a folder.
 *
 * The folder is `<logDir>/<record>-<scale>-<seed>`, or `-2`, `-3` where that is taken; it is made when everything is
 * ready to train. `docs/runs.md` says what is in it. Each file is written whole or not at all, and after each epoch there
 * is a checkpoint, from which {@link resumeRun} goes on to the same bits.
 *
 * @throws ExperimentError if the record was brought to another size before
 * @throws RunError if the folder, or later a file in it, cannot be written; what was kept stays as it is
 * @throws TrainError if the loss is no finite number; says since which step, and which checkpoint is from before. A record
 *   that may diverge ends there instead, if an epoch is finished
 * @throws InterruptedError if the signal stops the run; where training stands is kept first
 */
export async function trainRecord(
  record: Experiment,
  { seed, scale, engine = {}, logDir, ...options }: TrainOptions,
): Promise<FinishedRun> {
  const experiment = scale === undefined ? record : scaled(record, scale);
  const plan = describeRun(experiment, options.data, seed, engine);
  return runToEnd(plan, engine.algorithms, options, async (file) => {
    if (logDir === undefined) return undefined;
    const { record: name } = file;
    const folder = await createRunFolder(logDir, `${name}-${file.scale}-${seed}`);
    try {
      await folder.write('net.svg', await svg(dot(networkOf(experiment), { name })));
    } catch (error) {
      folder.release();
      throw error;
    }
    return { folder, file, flag: '--log-dir' };
  });
}

/**
 * Goes on with a run that was interrupted or killed, and ends with the rows and the network of one that was not: bit for
 * bit, on the same kind of machine with the same TensorFlow.
 *
 * Everything that decides the run is read from its folder, the number of threads and the choice of algorithms too. It goes
 * on from the last checkpoint that is whole, and from the beginning where there is none; what the logs say of later epochs
 * is taken out. Seconds of training count on from those of the checkpoint.
 *
 * @param path of the run's folder
 * @throws RunError if the folder holds no run, a finished one, or one that another process trains; if its checkpoints are
 *   damaged, all of them, or belong to another run; if something that bits depend on has changed, unless `isInexact`
 * @throws EngineError if TensorFlow runs with another number of threads in this process already
 * @throws TrainError, InterruptedError as {@link trainRecord}
 */
export async function resumeRun(
  path: string,
  { isInexact = false, onNotice, ...options }: ResumeOptions,
): Promise<FinishedRun> {
  const folder = await openRunFolder(path);
  try {
    const was = await readRunFile(folder.path);
    if (was.result !== undefined) {
      throw new RunError(
        `run: ${folder.path} is finished: ${was.result.epochs} epochs, ${was.result.accPercent.toFixed(2)} % test ` +
          `accuracy. Train ${was.record} again, with another seed, in a folder of its own.`,
      );
    }
    const { experiment, seed, mode, precision, xla, intraOpThreads, algorithms, started } = was;
    const engine = { mode, precision, xla, intraOpThreads };
    const plan = { ...describeRun(experiment, options.data, seed, engine), started };
    const changes = differences(was, plan);
    const allow = (found: readonly string[]): void => {
      if (found.length === 0 || isInexact) return;
      throw new RunError(
        `run: ${folder.path} would not come to the bits that it was to come to: ${found.join('; ')}. Put that back, ` +
          'or go on all the same with --inexact, which is recorded.',
      );
    };
    allow(changes);
    const { checkpoint, name, damaged } = await lastCheckpoint(folder);
    for (const { name: bad, reason } of damaged) {
      onNotice?.(
        `${bad} is damaged, and now called ${bad}.damaged: ${reason} Going on from ${name}.`,
      );
    }
    if (checkpoint !== undefined && checkpoint.config !== configOf(plan)) {
      throw new RunError(
        `run: ${name} in ${folder.path} belongs to another run than its run.json describes. Put back the file that was ` +
          'there, or train the record in a folder of its own.',
      );
    }
    const open = async (now: RunFile): Promise<Kept> => {
      const chosen = (rows: RunAbout['algorithms']): string =>
        rows.map(({ pass, shape, chosen: by }) => `${by} for the ${pass} of ${shape}`).join(', ') ||
        'the usual ones';
      const [before, after] = [chosen(algorithms), chosen(now.algorithms)];
      const all = [
        ...changes,
        ...(before === after ? [] : [`algorithms are ${after}, were ${before}`]),
      ];
      allow(all);
      const resumption = {
        at: new Date().toISOString(),
        epoch: checkpoint?.snapshot.epoch ?? 0,
        batches: checkpoint?.snapshot.unfinished?.batches ?? 0,
        ...(all.length === 0 ? {} : { differences: all }),
      };
      const { preprocessSec } = was;
      const file = { ...now, preprocessSec, resumed: [...(was.resumed ?? []), resumption] };
      return { folder, file, flag: '--resume', ...(name === undefined ? {} : { name }) };
    };
    return await runToEnd(plan, algorithms, options, open, checkpoint);
  } finally {
    folder.release();
  }
}

/** A folder that is ready to take what is trained next. */
interface Kept {
  readonly folder: RunFolder;
  readonly file: RunFile;
  /** Of the command line: which chose the folder. */
  readonly flag: string;
  /** The checkpoint that the run goes on from. */
  readonly name?: string;
}

/** Trains what is left of a run, from a checkpoint or from the beginning. `open` gives the folder, once all is ready. */
async function runToEnd(
  plan: RunPlan,
  algorithms: RunAbout['algorithms'] | undefined,
  { data, signal, clock = wallClock, checkpoints = 2, ...options }: RunOptions,
  open: (file: RunFile) => Promise<Kept | undefined>,
  from?: Checkpoint,
): Promise<FinishedRun> {
  const { experiment, seed, mode, precision, xla } = plan;
  options.onPrepare?.(plan);
  const rows = [...(from?.rows ?? [])];
  let epochSec = 0;
  let epochStart = 0;
  const { trainer, preprocessSec, imagesPerEpoch } = prepareRun(experiment, data, seed, {
    engine: { mode, precision, xla, ...(algorithms === undefined ? {} : { algorithms }) },
    clock,
    ...(signal === undefined ? {} : { signal }),
    ...tellTimeLeft(options.onProgress, () => ({
      elapsedSec: clock() - epochStart,
      epochSec,
      validSec: rows.at(-1)?.valid.time ?? 0,
    })),
  });
  let kept: Kept | undefined;
  let log: RunLog | undefined;
  try {
    if (from !== undefined) await trainer.restore(from.snapshot);
    ({ epochSec } = await trainer.warmUp());
    const about: RunAbout = { ...plan, algorithms: [...trainer.session.algorithms] };
    kept = await open({ ...about, preprocessSec });
    if (kept !== undefined) {
      const { folder, file, flag, name } = kept;
      await folder.write('run.json', json(file));
      log = await openRunLog(folder, {
        rows,
        checkpoints,
        config: configOf(plan),
        notes: {
          record: plan.record,
          scale: plan.scale,
          seed: String(seed),
          versions: JSON.stringify(plan.versions),
        },
        flag,
        ...(name === undefined ? {} : { checkpoint: name }),
      });
    }
    const place = kept === undefined ? {} : { folder: kept.folder.path };
    options.onStart?.({ about, epochSec, rows: [...rows], ...place });
    epochStart = clock() - (from?.snapshot.unfinished?.timeSec ?? 0);
    const { epochs, finalTta = false, mayDiverge = false } = experiment.run;
    let divergedIn: number | undefined;
    while (rows.length < epochs && divergedIn === undefined) {
      const epoch = rows.length + 1;
      try {
        const row = await trainer.runEpoch(epoch);
        epochSec = row.train.time + row.valid.time;
        rows.push(row);
        options.onEpoch?.(row);
        await log?.epoch(rows, await trainer.save());
      } catch (error) {
        if (!(error instanceof TrainError) || !mayDiverge || rows.length === 0) throw error;
        divergedIn = epoch;
      }
      epochStart = clock();
    }
    const isWhole = divergedIn === undefined;
    const tta = isWhole && finalTta ? await trainer.evaluate({ tta: true }) : undefined;
    const result: RunResult = {
      ...resultOf(rows, imagesPerEpoch),
      ...(tta === undefined ? {} : { tta: { accPercent: 100 * tta.acc, loss: tta.loss } }),
      ...(divergedIn === undefined ? {} : { divergedIn }),
    };
    const { learnt } = await trainer.save();
    await kept?.folder.write('run.json', json({ ...kept.file, result }));
    const seconds = kept?.file.preprocessSec ?? preprocessSec;
    return { about, ...place, rows, result, preprocessSec: seconds, state: learnt };
  } catch (error) {
    if (kept === undefined || log === undefined) throw error;
    throw await explained(error, kept.folder, log, rows, trainer);
  } finally {
    log?.close();
    kept?.folder.release();
    trainer.dispose();
  }
}

function json(file: RunFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** An error of training with what is kept of the run; where training was interrupted, it is kept first. */
async function explained(
  error: unknown,
  { path }: RunFolder,
  log: RunLog,
  rows: readonly EpochRow[],
  trainer: Trainer,
): Promise<unknown> {
  if (error instanceof TrainError) {
    const last =
      log.checkpoint === undefined ? '' : ` ${join(path, log.checkpoint)} is from before.`;
    return new TrainError(`${error.message}${last}`, { cause: error });
  }
  if (!(error instanceof InterruptedError)) return error;
  const snapshot = await trainer.save();
  let kept = 'All of it is kept.';
  try {
    if (snapshot.unfinished !== undefined && snapshot.unfinished.batches > 0) {
      await log.place(rows, snapshot);
    }
    if (log.checkpoint === undefined) {
      const lost = 'No checkpoint is kept, so all of it will be repeated.';
      kept = rows.length === 0 ? 'Nothing was trained yet.' : lost;
    }
  } catch (cause) {
    const again = log.checkpoint === undefined ? 'all of it' : `what came after ${log.checkpoint}`;
    kept = `It could not be kept, so ${again} will be repeated: ${(cause as Error).message}`;
  }
  return new InterruptedError(
    `${error.message} ${kept} Go on with: npx cifar10-fast train --resume ${quoted(path)}`,
    { cause: error },
  );
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./+:@%-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
