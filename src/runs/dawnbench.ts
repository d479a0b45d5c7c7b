import { createRng } from '../base/rng';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import type { Progress } from '../text/progress';
import { tellTimeLeft } from '../text/time-left';
import type { EpochRow, Examples, Watch } from '../train/training';
import { startTimer, wallClock } from '../train/timer';
import { describeRun } from './plan';
import type { RunAbout, RunPlan } from './plan';
import type { Experiment } from '../catalogue/experiment';
import { examplesOf, trainerOf } from './prepare';

/** How a script of the study is run, and who follows it. */
export interface DawnbenchOptions extends Pick<Watch, 'signal' | 'clock'> {
  readonly data: Cifar10;
  /** Gives starting weights, order and augmentation. */
  readonly seed: number;
  /** How steps are executed; captured, in the precision that this hardware computes fastest in, where absent. */
  readonly engine?: SessionOptions;
  /** Told what happens, in the words of the study's scripts. */
  readonly say?: (line: string) => void;
  /** Told how long it will take, after the warm-up and before the timer starts. */
  readonly onEstimate?: (plan: RunPlan, totalSec: number) => void;
  /** Told about once a second. */
  readonly onProgress?: (progress: Progress & { readonly leftSec: number }) => void;
  /** Told of each epoch once it is over. */
  readonly onEpoch?: (row: DawnbenchRow) => unknown;
}

/** A row of the scripts' table: the log's row without the rate. */
export type DawnbenchRow = Omit<EpochRow, 'lr'>;

/** What came of a script. */
export interface DawnbenchRun {
  readonly about: RunAbout;
  readonly rows: readonly DawnbenchRow[];
  /** Seconds of normalising training and test images; the total time includes them. */
  readonly preprocessSec: number;
}

/**
 * Trains a record as the study's scripts do, timed by the rule of DAWNBench.
 *
 * First the network takes two calls of each kind on random images, so that the machine is warm, algorithms are chosen and
 * the steps are recorded and compiled; nothing that they learn is kept, and none of it is counted. Then the timer starts. It
 * counts the normalising of training and test images; in the first epoch, drawing the starting weights, whitening and the
 * transfer to the device; every training epoch; and no validation.
 *
 * @throws TrainError if the loss is no finite number; says since which step
 * @throws InterruptedError if the signal stops the run
 * @see Coleman et al., DAWNBench: An End-to-End Deep Learning Benchmark and Competition (2017)
 */
export async function trainDawnbench(
  experiment: Experiment,
  { data, seed, say = () => undefined, clock = wallClock, signal, ...options }: DawnbenchOptions,
): Promise<DawnbenchRun> {
  const plan = describeRun(experiment, data, seed, options.engine);
  const { batchSize } = experiment.data;
  const { epochs } = experiment.run;

  if (experiment.net.model === 'new-dawn') say('Warming up torch');
  say('Warming up cudnn on random inputs');
  const count = (split: 'train' | 'valid'): number =>
    experiment.data.subset?.[split] ?? data[split].labels.length;
  const rows: DawnbenchRow[] = [];
  let epochSec = 0;
  let epochStart = 0;
  const random = randomExamples(batchSize, seed);
  const trainer = trainerOf(
    experiment,
    { train: random(count('train')), valid: random(count('valid')) },
    seed,
    {
      engine: { ...options.engine, mode: plan.mode, precision: plan.precision },
      clock,
      ...(signal === undefined ? {} : { signal }),
      ...tellTimeLeft(options.onProgress, () => ({
        elapsedSec: clock() - epochStart,
        epochSec,
        validSec: rows.at(-1)?.valid.time ?? 0,
      })),
    },
  );
  try {
    ({ epochSec } = await trainer.warmUp());
    options.onEstimate?.(plan, epochs * epochSec);

    say('Starting timer');
    const timer = startTimer(clock);
    const [train, valid] = (
      [
        ['Preprocessing training data', 'train'],
        ['Preprocessing test data', 'valid'],
      ] as const
    ).map(([line, split]) => {
      say(line);
      const examples = examplesOf(experiment, data, split);
      say(`Finished in ${timer().toPrecision(2)} seconds`);
      return examples;
    });
    const preprocessSec = timer.totalSec();
    trainer.restart(seed, { train, valid });
    const setUpSec = timer();
    for (let epoch = 1; epoch <= epochs; epoch++) {
      epochStart = clock();
      const { lr: _lr, ...row } = await trainer.runEpoch(epoch);
      epochSec = row.train.time + row.valid.time;
      rows.push({
        ...row,
        train: { ...row.train, time: row.train.time + (epoch === 1 ? setUpSec : 0) },
        'total time': row['total time'] + timer.totalSec(),
      });
      await options.onEpoch?.(rows[rows.length - 1]);
    }
    return { about: { ...plan, algorithms: trainer.session.algorithms }, rows, preprocessSec };
  } finally {
    trainer.dispose();
  }
}

/** Gives so many random examples, in which those of a batch come again and again. */
function randomExamples(batchSize: number, seed: number): (count: number) => Examples {
  const rng = createRng(seed, 'warm-up');
  const pixels = 32 * 32 * 3;
  const batch = rng.fillUniform(new Float32Array(batchSize * pixels), -1, 1);
  return (count) => {
    const images = new Float32Array(count * pixels);
    for (let first = 0; first < images.length; first += batch.length) {
      images.set(batch.subarray(0, images.length - first), first);
    }
    return { images, labels: Int32Array.from({ length: count }, () => rng.integer(10)) };
  };
}
