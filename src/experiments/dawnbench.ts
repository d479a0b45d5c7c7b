import { createRng } from '../base/rng';
import type { Cifar10 } from '../data/cifar10';
import type { AlgorithmRow } from '../engine/algorithms';
import type { SessionOptions } from '../engine/session';
import type { Progress } from '../report/progress';
import { timeLeft } from '../report/time-left';
import type { EpochRow, Examples, Watch } from '../train/loop';
import { startTimer, wallClock } from '../train/timer';
import { describeRun } from './about';
import type { RunAbout, RunPlan } from './about';
import type { Experiment } from './record';
import { examplesOf, trainerOf } from './run';

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
 * First a network of the same shape takes two steps of each kind on random images, so that the machine is warm and its
 * algorithms are chosen; none of that is kept or counted. Then the timer starts. It counts the normalising of training and test
 * images; in the first epoch, setting up the network, whitening, the transfer to the device and recording the step; every
 * training epoch; and no validation.
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
  const { batchSize, dropLast } = experiment.data;
  const { epochs } = experiment.run;
  const engine = { ...options.engine, mode: plan.mode, precision: plan.precision };

  if (experiment.net.model === 'new-dawn') say('Warming up torch');
  say('Warming up cudnn on random inputs');
  const { trainStepSec, validStepSec, algorithms } = await warmUp(experiment, seed, {
    clock,
    engine,
  });
  const count = (split: 'train' | 'valid'): number =>
    experiment.data.subset?.[split] ?? data[split].labels.length;
  const steps = (dropLast ? Math.floor : Math.ceil)(count('train') / batchSize);
  const validSec = Math.ceil(count('valid') / batchSize) * validStepSec;
  let epochSec = steps * trainStepSec + validSec;
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

  const rows: DawnbenchRow[] = [];
  let epochStart = clock();
  const { onProgress } = options;
  const trainer = trainerOf(experiment, { train, valid }, seed, {
    engine: { ...engine, algorithms },
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
  try {
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

/** Takes two steps of each kind on random images, and tells how long the second ones took. */
async function warmUp(
  experiment: Experiment,
  seed: number,
  options: { readonly engine: SessionOptions; readonly clock: () => number },
): Promise<{
  readonly trainStepSec: number;
  readonly validStepSec: number;
  readonly algorithms: readonly AlgorithmRow[];
}> {
  const { batchSize } = experiment.data;
  const rng = createRng(seed, 'warm-up');
  const random: Examples = {
    images: rng.fillUniform(new Float32Array(batchSize * 32 * 32 * 3), -1, 1),
    labels: Int32Array.from({ length: batchSize }, () => rng.integer(10)),
  };
  const trainer = trainerOf(experiment, { train: random, valid: random }, seed, options);
  try {
    const { trainStepSec, validStepSec } = await trainer.warmUp();
    return { trainStepSec, validStepSec, algorithms: [...trainer.session.algorithms] };
  } finally {
    trainer.dispose();
  }
}
