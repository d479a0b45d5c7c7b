import { InterruptedError, TrainError } from '../base/errors';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { dot } from '../graph/dot';
import { svg } from '../graph/svg';
import type { Progress } from '../report/progress';
import { timeLeft } from '../report/time-left';
import { tsv } from '../report/tsv';
import { createRunFolder } from '../runs/folder';
import type { RunFolder } from '../runs/folder';
import type { EpochRow, Learnt, Watch } from '../train/loop';
import { wallClock } from '../train/timer';
import { describeRun } from './about';
import type { RunAbout, RunPlan } from './about';
import type { Experiment, Scale } from './record';
import { networkOf, prepareRun, resultOf } from './run';
import type { RunResult } from './run';
import { scaled } from './scale';

/** How a record is trained, and who follows it. */
export interface TrainOptions extends Pick<Watch, 'signal' | 'clock'> {
  readonly data: Cifar10;
  /** Gives starting weights, order and augmentation. */
  readonly seed: number;
  /** The size to train in, unless the record was brought to one before; full where both are absent. */
  readonly scale?: Scale;
  /** How steps are executed; captured, in the precision that this hardware computes fastest in, where absent. */
  readonly engine?: SessionOptions;
  /** Where the run's folder is made; nothing is kept on disk where absent. */
  readonly logDir?: string;
  /** Told what is about to be trained, before it is put on the device. */
  readonly onPrepare?: (plan: RunPlan) => void;
  /** Told when training begins. */
  readonly onStart?: (start: RunStart) => void;
  /** Told about once a second. */
  readonly onProgress?: (progress: Progress & { readonly leftSec: number }) => void;
  /** Told of each epoch once it is over, before its files are written. */
  readonly onEpoch?: (row: EpochRow) => void;
}

/** What is known of a run when training begins. */
export interface RunStart {
  readonly about: RunAbout;
  /** Absent where nothing is kept. */
  readonly folder?: string;
  /** Seconds that an epoch will take, its validation included; estimated from two steps of each kind. */
  readonly epochSec: number;
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
 * The folder is `<logDir>/<record>-<scale>-<seed>`, or `-2`, `-3` where that is taken. It holds `run.json` (the whole
 * configuration, versions, hardware; in the end, the result), `log.jsonl` and `logs.tsv` (a row an epoch) and `net.svg`.
 * It is made when everything is ready to train; each file is written whole or not at all.
 *
 * @throws ExperimentError if the record was brought to another size before
 * @throws RunError if the folder, or later a file in it, cannot be written; epochs that were kept stay as they are
 * @throws TrainError if the loss is no finite number; says since which step. A record that may diverge ends there instead,
 *   if an epoch is finished
 * @throws InterruptedError if the signal stops the run; says what is kept
 */
export async function trainRecord(
  record: Experiment,
  { data, seed, scale, logDir, signal, clock = wallClock, ...options }: TrainOptions,
): Promise<FinishedRun> {
  const experiment = scale === undefined ? record : scaled(record, scale);
  const planned = describeRun(experiment, seed, options.engine);
  const { mode, precision } = planned;
  const { epochs, finalTta = false, mayDiverge = false } = experiment.run;
  options.onPrepare?.(planned);

  const rows: EpochRow[] = [];
  let epochSec = 0;
  let epochStart = 0;
  const { onProgress } = options;
  const { trainer, preprocessSec, imagesPerEpoch } = prepareRun(experiment, data, seed, {
    engine: { ...options.engine, mode, precision },
    clock,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined
      ? {}
      : {
          onProgress: (progress) => {
            const validSec = rows.at(-1)?.valid.time ?? 0;
            const leftSec = timeLeft(progress, clock() - epochStart, { epochSec, validSec });
            onProgress({ ...progress, leftSec });
          },
        }),
  });
  let folder: RunFolder | undefined;
  try {
    ({ epochSec } = await trainer.warmUp());
    const about: RunAbout = { ...planned, algorithms: [...trainer.session.algorithms] };
    const json = (more: object): string => `${JSON.stringify({ ...about, ...more }, null, 2)}\n`;
    if (logDir !== undefined) {
      const { record: name } = about;
      folder = await createRunFolder(logDir, `${name}-${about.scale}-${seed}`);
      await folder.write('run.json', json({}));
      await folder.write('net.svg', await svg(dot(networkOf(experiment), { name })));
    }
    const kept = folder === undefined ? {} : { folder: folder.path };
    options.onStart?.({ about, epochSec, ...kept });
    for (let epoch = 1; epoch <= epochs; epoch++) {
      epochStart = clock();
      const row = await trainer.runEpoch(epoch).catch((error: unknown) => {
        if (error instanceof TrainError && mayDiverge && rows.length > 0) return undefined;
        throw error;
      });
      if (row === undefined) break;
      epochSec = row.train.time + row.valid.time;
      rows.push(row);
      options.onEpoch?.(row);
      await folder?.write('log.jsonl', rows.map((past) => `${JSON.stringify(past)}\n`).join(''));
      await folder?.write('logs.tsv', tsv(rows));
    }
    const isWhole = rows.length === epochs;
    const tta = isWhole && finalTta ? await trainer.evaluate({ tta: true }) : undefined;
    const result: RunResult = {
      ...resultOf(rows, imagesPerEpoch),
      ...(tta === undefined ? {} : { tta: { accPercent: 100 * tta.acc, loss: tta.loss } }),
      ...(isWhole ? {} : { divergedIn: rows.length + 1 }),
    };
    const state = await trainer.session.read('network', 'velocity', 'ema', 'extra');
    await folder?.write('run.json', json({ result, preprocessSec }));
    return { about, ...kept, rows, result, preprocessSec, state };
  } catch (error) {
    if (!(error instanceof InterruptedError) || folder === undefined) throw error;
    const finished =
      rows.length === 0
        ? `No epoch was finished; ${folder.path} holds what was to be run.`
        : `${rows.length} finished epoch${rows.length === 1 ? ' is' : 's are'} kept in ${folder.path}.`;
    throw new InterruptedError(`${error.message} ${finished}`, { cause: error });
  } finally {
    trainer.dispose();
  }
}
