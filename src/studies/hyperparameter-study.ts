import { ExperimentError } from '../base/errors';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import type { Watch } from '../train/training';
import { runEpochs } from '../runs/epochs';
import { inFastestPrecision } from '../runs/run';
import { findExperiment } from '../catalogue/catalogue';
import { coordinateSearch } from '../catalogue/coordinate-search';
import type { Hyperparameters, Trial } from '../catalogue/coordinate-search';
import { overridden } from '../catalogue/override';
import type { Experiment, Scale } from '../catalogue/experiment';
import { prepareRun } from '../runs/prepare';
import { scaled } from '../catalogue/scale';

/** One run of post 5's study, and the hyperparameters that it tests. */
export interface HyperparameterTrial extends Trial {
  readonly batchSize: number;
  /** Scaled; named by its hyperparameters, and not in the catalogue. */
  readonly experiment: Experiment;
}

/** The result of a trial, for charts, tables and the search. */
export type HyperparameterResult = Hyperparameters & {
  readonly batchSize: number;
  readonly scale: Scale;
  readonly seed: number;
  /** The name of the trial's experiment. */
  readonly name: string;
  /** The hyperparameter being tuned in a search; `nothing` at its start and outside a search. */
  readonly tuned: string;
  /** Test accuracy; chance accuracy if the run diverged. */
  readonly accPercent: number;
  readonly trainSec: number;
  /** 1 if training diverged, else 0. */
  readonly diverged: number;
};

const tunedNames = { lr: 'rate', momentum: 'momentum', weightDecay: 'weight decay' } as const;

/** The hyperparameter on the other axis of a map of the learning rate. */
export type MapAxis = 'momentum' | 'weightDecay' | 'batchSize';

/** The runs of the study at one scale. The post does not give the grids of its maps; these are ours. */
interface Study {
  readonly changes: readonly (readonly [path: string, value: unknown])[];
  /** The centre of the maps. */
  readonly middle: Hyperparameters & { readonly batchSize: number };
  /** Factors of the rate at the centre. All factors are in ascending order. */
  readonly rateFactors: readonly number[];
  /** Factors of the other axis: of 1 - momentum, weight decay or batch size. */
  readonly factors: Readonly<Record<MapAxis, readonly number[]>>;
  /** The start of the search, and its maximum number of runs. */
  readonly start: Hyperparameters;
  readonly mostTrials: number;
}

const studies: Readonly<Record<Scale, Study>> = {
  full: {
    changes: [],
    middle: { lr: 0.4, momentum: 0.9, weightDecay: 5e-4, batchSize: 512 },
    rateFactors: [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8],
    factors: {
      momentum: [1 / 4, 1 / 2, 1, 2, 4, 8],
      weightDecay: [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8],
      batchSize: [1 / 4, 1 / 2, 1, 2],
    },
    start: { lr: 0.001, momentum: 0.5, weightDecay: 0.01 },
    mostTrials: 40,
  },
  pocket: {
    changes: [
      ['net.channels', { prep: 8, layer1: 16, layer2: 32, layer3: 64 }],
      ['data.subset', { train: 8_192, valid: 2_000 }],
      ['run.epochs', 3],
    ],
    middle: { lr: 0.2, momentum: 0.9, weightDecay: 4e-3, batchSize: 128 },
    rateFactors: [1 / 16, 1 / 4, 1, 4, 16],
    factors: {
      momentum: [1 / 4, 1, 4, 10],
      weightDecay: [1 / 16, 1 / 4, 1, 4, 16],
      batchSize: [1 / 4, 1, 4],
    },
    start: { lr: 0.016, momentum: 0.5, weightDecay: 0.01 },
    mostTrials: 22,
  },
  smoke: {
    changes: [
      ['data.subset', { train: 128, valid: 64 }],
      ['run.epochs', 1],
    ],
    middle: { lr: 0.1, momentum: 0.9, weightDecay: 5e-4, batchSize: 32 },
    rateFactors: [1, 4],
    factors: { momentum: [1, 4], weightDecay: [1, 4], batchSize: [1, 2] },
    start: { lr: 0.016, momentum: 0.5, weightDecay: 0.01 },
    mostTrials: 4,
  },
};

/**
 * A run of post 5's study: `demo` with these hyperparameters. Default: those at the centre of its maps.
 *
 * `full` scale is `demo` unchanged. `pocket` scale has an eighth of each width, 8,192 images, batches of 128 and three
 * epochs; such short training needs more weight decay, so the centre is 0.004. `smoke` scale has four steps.
 *
 * @throws ExperimentError if a value is invalid
 */
export function hyperparameterTrial(
  scale: Scale,
  { tuned, ...hyper }: Partial<Trial & { readonly batchSize: number }> = {},
): HyperparameterTrial {
  const { changes, middle } = studies[scale];
  const { lr, momentum, weightDecay, batchSize } = { ...middle, ...hyper };
  const all: readonly (readonly [path: string, value: unknown])[] = [
    ...changes,
    ['data.batchSize', batchSize],
    ['optim.lr', lr],
    ['optim.momentum', momentum],
    ['optim.weightDecay', weightDecay],
  ];
  const sized = scaled(findExperiment('demo'), scale);
  const changed = all.reduce((record, [path, value]) => overridden(record, path, value), sized);
  const short = (value: number): string => String(Number(value.toPrecision(3)));
  const values = [lr, momentum, weightDecay].map(short);
  return {
    lr,
    momentum,
    weightDecay,
    batchSize,
    ...(tuned === undefined ? {} : { tuned }),
    experiment: {
      ...changed,
      name: `post5-trial-${values.join('-')}-batch-${batchSize}`,
      title: `rate ${values[0]}, momentum ${values[1]}, weight decay ${values[2]}, batch ${batchSize}`,
    },
  };
}

/**
 * The runs of one of post 5's maps: the rate against momentum, weight decay or batch size, on a grid around the centre, row by
 * row. Neighbours differ by powers of two, for momentum in 1 - momentum.
 *
 * At `full` scale 7 rates by 6, 7 and 4 values of the other axis; at `pocket` scale 5 by 4, 5 and 3, in factors of four.
 */
export function hyperparameterMap(scale: Scale, axis: MapAxis): readonly HyperparameterTrial[] {
  const { middle, rateFactors, factors } = studies[scale];
  return factors[axis].flatMap((factor) =>
    rateFactors.flatMap((rateFactor) => {
      const lr = middle.lr * rateFactor;
      switch (axis) {
        case 'momentum': {
          const fresh = Number(((1 - middle.momentum) * factor).toPrecision(6));
          return fresh > 1 ? [] : hyperparameterTrial(scale, { lr, momentum: 1 - fresh });
        }
        case 'weightDecay':
          return hyperparameterTrial(scale, { lr, weightDecay: middle.weightDecay * factor });
        case 'batchSize':
          return hyperparameterTrial(scale, { lr, batchSize: middle.batchSize * factor });
        default:
          return axis satisfies never;
      }
    }),
  );
}

/**
 * What is constant along the ridge of a map: rate / (1 - momentum), rate * weight decay, or rate / batch size.
 *
 * The first is how far a gradient moves the weights over all steps it contributes to; the last, how far an epoch's gradients
 * do. The second sets the size of steps relative to the weights, as batch norm makes the norm of the weights irrelevant.
 */
export function ridgeOf(
  { lr, momentum, weightDecay, batchSize }: Hyperparameters & { readonly batchSize: number },
  axis: MapAxis,
): number {
  switch (axis) {
    case 'momentum':
      return lr / (1 - momentum);
    case 'weightDecay':
      return lr * weightDecay;
    case 'batchSize':
      return lr / batchSize;
    default:
      return axis satisfies never;
  }
}

/** Mean changes in accuracy between neighbouring runs of a map, in percentage points. */
export interface MapSteps {
  /** Between neighbours along the ridge, with the same {@link ridgeOf}. */
  readonly along: number;
  /** Between neighbours in the rate only. */
  readonly rate: number;
  /** Between neighbours on the other axis only. */
  readonly other: number;
}

/**
 * How flat a map is in each direction: the mean absolute difference between neighbours along the ridge, and between runs that
 * differ by one step in the rate only, or on the other axis only. 0 if there are no such neighbours.
 */
export function mapSteps(results: readonly HyperparameterResult[], axis: MapAxis): MapSteps {
  const places = (key: 'lr' | MapAxis): number[] =>
    [...new Set(results.map((result) => result[key]))].toSorted((a, b) => a - b);
  const [rates, others] = [places('lr'), places(axis)];
  const isSame = (a: number, b: number): boolean => Math.abs(a / b - 1) < 1e-6;
  const mean = (
    isNext: (from: HyperparameterResult, to: HyperparameterResult) => boolean,
  ): number => {
    const changes = results.flatMap((from) =>
      results
        .filter((to) => isNext(from, to))
        .map((to) => Math.abs(to.accPercent - from.accPercent)),
    );
    return changes.reduce((sum, change) => sum + change, 0) / Math.max(1, changes.length);
  };
  const up = (values: readonly number[], from: number, to: number): boolean =>
    values.indexOf(to) === values.indexOf(from) + 1;
  return {
    along: mean(
      (from, to) => up(rates, from.lr, to.lr) && isSame(ridgeOf(from, axis), ridgeOf(to, axis)),
    ),
    rate: mean((from, to) => up(rates, from.lr, to.lr) && from[axis] === to[axis]),
    other: mean((from, to) => from.lr === to.lr && up(others, from[axis], to[axis])),
  };
}

/**
 * Post 5's search as runs: {@link coordinateSearch} for trials at `scale`. The generator yields a trial, expects its accuracy
 * as the argument of `next`, and returns the best hyperparameters found.
 *
 * At `full` scale the search starts where the post's does. At `pocket` scale it starts at a rate 16 times as high, which saves
 * four runs, and takes at most 22 runs; at `smoke` scale, four. Pass NaN or chance accuracy for a run that diverged.
 *
 * @throws ExperimentError at the end, if the accuracy of every run is NaN
 */
export function* hyperparameterSearch(
  scale: Scale,
): Generator<HyperparameterTrial, Hyperparameters, number> {
  const { start, mostTrials } = studies[scale];
  const search = coordinateSearch(start);
  let at = search.next();
  let best: Hyperparameters = start;
  let bestAcc = -Infinity;
  for (let count = 0; at.done !== true && count < mostTrials; count++) {
    const { lr, momentum, weightDecay } = at.value;
    const acc = yield hyperparameterTrial(scale, at.value);
    if (acc > bestAcc) [best, bestAcc] = [{ lr, momentum, weightDecay }, acc];
    at = search.next(acc);
  }
  if (bestAcc === -Infinity) {
    throw new ExperimentError('hyperparameterSearch: all runs diverged. Start with a lower rate.');
  }
  return best;
}

/** Options of {@link runHyperparameterTrial}. */
export interface HyperparameterRunOptions extends Pick<Watch, 'signal' | 'onProgress'> {
  readonly data: Cifar10;
  /** Seed of initial weights, order and augmentation. Default: 0. */
  readonly seed?: number;
  /** Default: captured, in the fastest precision of this hardware. */
  readonly engine?: SessionOptions;
  /** Called before the first step, with the expected duration in seconds. */
  readonly onStart?: (seconds: number) => void;
}

/**
 * Trains one trial; writes nothing to disk. If training diverges, the result has chance accuracy.
 *
 * @throws InterruptedError if the signal stops it
 */
export async function runHyperparameterTrial(
  { experiment, ...trial }: HyperparameterTrial,
  { data, seed = 0, engine, onStart, ...watch }: HyperparameterRunOptions,
): Promise<HyperparameterResult> {
  const { trainer } = prepareRun(experiment, data, seed, {
    engine: inFastestPrecision(engine),
    ...watch,
  });
  const { lr, momentum, weightDecay, batchSize } = trial;
  const { name, scale = 'full', run } = experiment;
  const tuned = trial.tuned === undefined ? 'nothing' : tunedNames[trial.tuned];
  const about = { lr, momentum, weightDecay, batchSize, scale, seed, name, tuned };
  try {
    const { epochSec } = await trainer.warmUp();
    onStart?.(run.epochs * epochSec);
    const { rows, diverged } = await runEpochs(trainer, { epochs: run.epochs });
    const last = rows.at(-1);
    const isWhole = last !== undefined && diverged === undefined;
    return {
      ...about,
      accPercent: isWhole ? 100 * last.valid.acc : 100 / data.classes.length,
      trainSec: last?.['total time'] ?? 0,
      diverged: isWhole ? 0 : 1,
    };
  } finally {
    trainer.dispose();
  }
}
