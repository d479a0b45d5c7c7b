import { createRng } from '../base/rng';
import type { Experiment } from '../catalogue/experiment';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import type { EpochRow, Examples, Snapshot, Watch } from '../train/training';
import { startTimer } from '../train/timer';
import { createPace, runEpochs, watchAt } from './epochs';
import type { RunProgress } from './epochs';
import { loadBetween, readLoadSample } from './load';
import type { Load } from './load';
import { examplesOf, imagesOf, trainerOf } from './prepare';
import { checkRunEngine, planRun } from './run';
import type { FinishedRun, PlannedRun } from './run';
import { createStore } from './store';
import type { RunStore } from './store';
import { endOf } from './train-to-end';

/** How {@link trainDawnbench} trains. */
export interface DawnbenchOptions extends Pick<Watch, 'signal' | 'clock'> {
  readonly data: Cifar10;
  /** Determines initial weights, order and augmentation. */
  readonly seed: number;
  /** How steps are executed. Default: captured, in the fastest precision of this hardware. */
  readonly engine?: SessionOptions;
  /** The folder in which the run's folder is created. Default: nothing is stored on disk. */
  readonly logDir?: string;
  /** Called with a line for each phase: warm-up, timer, preprocessing. */
  readonly say?: (line: string) => void;
  /** Called with the estimated seconds of the whole run, after the warm-up and before the timer starts. */
  readonly onEstimate?: (run: PlannedRun, totalSec: number) => void;
  /** Called about once a second. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Called after each epoch; training waits for it. */
  readonly onEpoch?: (row: DawnbenchRow) => unknown;
}

/** A row of the scripts' table: the log's row without the learning rate. */
export type DawnbenchRow = Omit<EpochRow, 'lr'>;

/** A finished run of a script, timed by the rule of DAWNBench. */
export type DawnbenchRun = Omit<FinishedRun, 'state'>;

/**
 * Trains an experiment as the study's scripts do, timed by the rule of DAWNBench.
 *
 * The network first runs each kind of step on random images, so that algorithms are chosen and the steps are captured and
 * compiled. This warm-up is undone and not timed. Then the timer starts. It counts the normalisation of training and test
 * images; in the first epoch, drawing the initial weights, whitening and the transfer to the device; and every training
 * epoch. It does not count validation.
 *
 * The run is stored like one of `trainExperiment`, and can be resumed in the same way.
 *
 * @throws DivergedError if the loss is NaN or infinite
 * @throws InterruptedError if the signal stops the run
 * @throws RunError if the folder, or a file in it, cannot be written, or would not keep an option of `engine`
 * @see Coleman et al., DAWNBench: An End-to-End Deep Learning Benchmark and Competition (2017)
 */
export async function trainDawnbench(
  experiment: Experiment,
  { data, seed, say = () => undefined, onEstimate, engine, logDir, ...options }: DawnbenchOptions,
): Promise<DawnbenchRun> {
  const { onEpoch, ...watch } = options;
  if (logDir !== undefined) checkRunEngine(engine ?? {});
  const plan: PlannedRun = { ...planRun(experiment, data, seed, engine), timer: 'dawnbench' };
  const { epochs } = experiment.run;
  const { mode, precision } = plan;
  const pace = createPace(watch.clock);
  say('Warming up on random inputs');
  const trainer = trainerOf(experiment, randomExamples(experiment, data, seed), seed, {
    engine: { ...engine, mode, precision },
    ...watchAt(pace, watch),
  });
  let store: RunStore | undefined;
  let sample = readLoadSample();
  const loadSoFar = (): Load => loadBetween(sample, readLoadSample());
  let beforeSec = 0;
  /** Reads the state of the training, adding the seconds counted before its first step. */
  const save = async (): Promise<Snapshot> => {
    const snapshot = await trainer.save();
    return { ...snapshot, totalSec: snapshot.totalSec + beforeSec };
  };
  try {
    ({ epochSec: pace.epochSec } = await trainer.warmUp());
    onEstimate?.(plan, epochs * pace.epochSec);
    const algorithms = [...trainer.session.algorithms];
    const ready = { ...plan, algorithms };
    if (logDir !== undefined) store = await createStore(logDir, ready, 2);

    say('Starting timer');
    sample = readLoadSample();
    const timer = startTimer(pace.clock);
    const preprocessed = (split: 'train' | 'valid'): Examples => {
      say(`Preprocessing ${split === 'train' ? 'training' : 'test'} data`);
      const examples = examplesOf(experiment, data, split);
      say(`Finished in ${timer().toPrecision(2)} seconds`);
      return examples;
    };
    const [train, valid] = [preprocessed('train'), preprocessed('valid')];
    const preprocessSec = timer.totalSec();
    trainer.restart(seed, { train, valid });
    const setUpSec = timer();
    beforeSec = timer.totalSec();

    const rows: EpochRow[] = [];
    const { diverged } = await runEpochs(trainer, {
      epochs,
      pace,
      onEpoch: async (row) => {
        const time = row.train.time + (row.epoch === 1 ? setUpSec : 0);
        const total = row['total time'] + beforeSec;
        rows.push({ ...row, train: { ...row.train, time }, 'total time': total });
        const { lr: _lr, ...shown } = rows[rows.length - 1];
        await store?.epoch([...rows], await save(), loadSoFar());
        await onEpoch?.(shown);
      },
    });
    const load = loadSoFar();
    const images = imagesOf(experiment, trainer, train.labels.length);
    const result = await endOf(
      plan,
      { rows, ...(diverged === undefined ? {} : { diverged }) },
      trainer,
      images,
    );
    await store?.finish({ preprocessSec, result, load });
    return { ...ready, ...store?.run, preprocessSec, rows, result, load };
  } catch (error) {
    throw store === undefined ? error : await store.fail(error, { save }, loadSoFar());
  } finally {
    store?.close();
    trainer.dispose();
  }
}

/** As many random examples as the experiment has; the images of one batch are repeated. */
function randomExamples(
  { data: { batchSize, subset } }: Experiment,
  data: Cifar10,
  seed: number,
): Record<'train' | 'valid', Examples> {
  const rng = createRng(seed, 'warm-up');
  const pixels = 32 * 32 * 3;
  const batch = rng.fillUniform(new Float32Array(batchSize * pixels), -1, 1);
  const examples = (count: number): Examples => {
    const images = new Float32Array(count * pixels);
    for (let first = 0; first < images.length; first += batch.length) {
      images.set(batch.subarray(0, images.length - first), first);
    }
    return { images, labels: Int32Array.from({ length: count }, () => rng.integer(10)) };
  };
  return {
    train: examples(subset?.train ?? data.train.labels.length),
    valid: examples(subset?.valid ?? data.valid.labels.length),
  };
}
