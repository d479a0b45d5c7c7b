import { followWeights } from '../analysis/weight-dynamics';
import type { WeightPoint } from '../analysis/weight-dynamics';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { constant, valueAt } from '../optim/schedule';
import type { EpochRow, Watch } from '../train/training';
import { runEpochs } from '../runs/epochs';
import { inFastestPrecision } from '../runs/run';
import { findExperiment } from '../catalogue/catalogue';
import type { Hyperparameters } from '../catalogue/coordinate-search';
import { overridden } from '../catalogue/override';
import { larsGroup } from '../catalogue/posts-5-and-6';
import type { Experiment, Scale } from '../catalogue/experiment';
import { networkOf } from '../catalogue/network';
import { prepareRun } from '../runs/prepare';
import { scaled } from '../catalogue/scale';

/** How a run of post 6's study differs from the others of it; as in {@link weightDecayStudy} where a field is absent. */
export interface WeightDecayChanges extends Partial<Hyperparameters> {
  readonly batchSize?: number;
  /**
   * Rate and decay of the convolutions alone are changed as if their weights were so many times as long: the rate is
   * multiplied by the square of it, decay divided by that.
   */
  readonly asIfScaledBy?: number;
  /** LARS for the convolutions, at the relative rate where SGD is in balance. Default: false. */
  readonly isLars?: boolean;
}

/** What is run of the study in each size, all at a constant rate; the post does not tell its own. */
const sizes: Readonly<
  Record<Scale, Hyperparameters & { readonly changes: readonly (readonly [string, unknown])[] }>
> = {
  full: { lr: 0.4, momentum: 0.9, weightDecay: 5e-4, changes: [['run.epochs', 10]] },
  pocket: {
    lr: 0.2,
    momentum: 0.9,
    weightDecay: 1e-3,
    changes: [
      ['net.channels', { prep: 8, layer1: 16, layer2: 32, layer3: 64 }],
      ['data.subset', { train: 20_480, valid: 2_000 }],
      ['data.batchSize', 128],
      ['run.epochs', 5],
    ],
  },
  smoke: {
    lr: 0.2,
    momentum: 0.9,
    weightDecay: 0.01,
    changes: [
      ['data.subset', { train: 512, valid: 128 }],
      ['data.batchSize', 32],
      ['run.epochs', 3],
    ],
  },
};

/**
 * A run of post 6's study of how long weights are and how far they move: `demo` at a constant rate, long enough for
 * weight decay and gradients to come into balance.
 *
 * In `full` size ten epochs at the highest rate of `demo`. In `pocket` size an eighth of each width, 20,480 images, batches of
 * 128 and five epochs, so 800 steps, at rate 0.2 and decay 0.001: their product, which decides how fast the balance comes, is that
 * of `demo`.
 *
 * @throws ExperimentError if a value does not fit
 */
export function weightDecayStudy(
  scale: Scale,
  { batchSize, asIfScaledBy, isLars = false, ...hyper }: WeightDecayChanges = {},
): Experiment {
  const { changes, ...usual } = sizes[scale];
  const { lr, momentum, weightDecay } = { ...usual, ...hyper };
  const all: readonly (readonly [path: string, value: unknown])[] = [
    ...changes,
    ...(batchSize === undefined ? [] : [['data.batchSize', batchSize] as const]),
    ['optim.lr', constant(lr)],
    ['optim.momentum', momentum],
    ['optim.weightDecay', weightDecay],
    ...(asIfScaledBy === undefined
      ? []
      : [['optim.groups', [convolutionsScaledBy(asIfScaledBy)]] as const]),
  ];
  const sized = scaled(findExperiment('demo'), scale);
  const record = all.reduce((before, [path, value]) => overridden(before, path, value), sized);
  if (!isLars) return record;
  const group = larsGroup({ lr, momentum, weightDecay }, record.data.batchSize);
  return overridden(overridden(record, 'optim.rule', 'nesterov-b'), 'optim.groups', [group]);
}

function convolutionsScaledBy(factor: number): Experiment['optim']['groups'][number] {
  const square = factor ** 2;
  return { includes: 'conv/', lrFactor: square, weightDecayFactor: 1 / square };
}

/**
 * The size of a step relative to the weights that SGD comes to, by post 6's argument, if batch norm makes the length of
 * weights meaningless: rate times gradient by (1 - momentum) times weights is the root of 2 rate decay / (1 - momentum).
 *
 * Decay shortens the weights in proportion to their length. Gradients, at right angles to them, lengthen them by the square of
 * the step. Where the two are equal, the length stays.
 *
 * @see Page, How to Train Your ResNet 6: Weight decay (2018)
 */
export function balancedStep({ lr, momentum, weightDecay }: Hyperparameters): number {
  return Math.sqrt((2 * lr * weightDecay) / (1 - momentum));
}

/** A layer at one step of a run, with the rate of that step. */
export type FollowedPoint = WeightPoint & {
  /** In epochs, with fractions. */
  readonly epoch: number;
  /** The schedule's value, as the layer's group of the optimiser has it. */
  readonly rate: number;
  /** Rate times gradient by (1 - momentum) times weights; meaningless under LARS, which has a rate of its own. */
  readonly relativeStep: number;
  /** How far the step moved the weights, by their length. */
  readonly relativeMovement: number;
  /** Rate by the square of the weights' length: the rate that weights of length 1 would need to be moved alike. */
  readonly effectiveRate: number;
};

/**
 * Points of a run as means over stretches of an epoch, layer by layer: what single steps scatter around.
 *
 * Each stretch stands at the last of its steps.
 *
 * @param perEpoch stretches of an epoch
 */
export function averagedPoints(
  points: readonly FollowedPoint[],
  perEpoch: number,
): FollowedPoint[] {
  const groups = new Map<string, FollowedPoint[]>();
  for (const point of points) {
    // A step belongs to the stretch at whose end it is: 0.25 to the first of four.
    const key = `${point.layer} ${Math.ceil(point.epoch * perEpoch - 1e-9)}`;
    groups.set(key, [...(groups.get(key) ?? []), point]);
  }
  return [...groups.values()].map((group) => {
    const last = group[group.length - 1];
    const mean = (key: Exclude<keyof FollowedPoint, 'layer' | 'path'>): number =>
      group.reduce((sum, point) => sum + point[key], 0) / group.length;
    return {
      ...last,
      norm: mean('norm'),
      gradient: mean('gradient'),
      movement: mean('movement'),
      cosine: mean('cosine'),
      rate: mean('rate'),
      relativeStep: mean('relativeStep'),
      relativeMovement: mean('relativeMovement'),
      effectiveRate: mean('effectiveRate'),
    };
  });
}

/** A run whose weights were followed. */
export interface FollowedRun {
  readonly experiment: Experiment;
  readonly rows: readonly EpochRow[];
  readonly points: readonly FollowedPoint[];
}

/** How {@link followExperiment} trains, and who follows it. */
export interface FollowOptions extends Pick<Watch, 'signal' | 'onProgress'> {
  readonly data: Cifar10;
  /** Decides starting weights, order and augmentation. Default: 0. */
  readonly seed?: number;
  /** Default: captured, in the fastest precision of this hardware. */
  readonly engine?: SessionOptions;
  /** The convolutions start with weights so many times as long. Default: 1. */
  readonly startScale?: number;
  /** Called with the seconds that the run will take, before its first step. */
  readonly onStart?: (seconds: number) => void;
}

/**
 * Trains a record, in its size already, and follows the weights of every layer step by step; keeps nothing on disk.
 *
 * @throws DivergedError if the loss is NaN or infinite
 * @throws InterruptedError if the signal stops it
 */
export async function followExperiment(
  experiment: Experiment,
  { data, seed = 0, engine, startScale = 1, onStart, ...watch }: FollowOptions,
): Promise<FollowedRun> {
  const { momentum, lr, groups } = experiment.optim;
  const { epochs } = experiment.run;
  const count = experiment.data.subset?.train ?? data.train.labels.length;
  const perEpoch = count / experiment.data.batchSize;
  const steps = epochs * (experiment.data.dropLast ? Math.floor(perEpoch) : Math.ceil(perEpoch));
  const dynamics = followWeights(networkOf(experiment), steps);
  const { trainer } = prepareRun(experiment, data, seed, {
    engine: inFastestPrecision(engine),
    steps: dynamics.training,
    ...watch,
  });
  try {
    const { network } = await trainer.session.read('network');
    const longer = Object.entries(network).flatMap(([path, { shape, data: weights }]) =>
      path.endsWith('conv/weight')
        ? [[path, { shape, data: Float32Array.from(weights, (w) => w * startScale) }] as const]
        : [],
    );
    trainer.session.write({ network: Object.fromEntries(longer) });
    const { epochSec } = await trainer.warmUp();
    onStart?.(epochs * epochSec);
    const { rows, diverged } = await runEpochs(trainer, { epochs });
    if (diverged !== undefined) throw diverged;
    const { extra } = await trainer.session.read('extra');
    const points = dynamics.read(extra).map((point): FollowedPoint => {
      const epoch = point.step / trainer.stepsPerEpoch;
      const group = groups.find(({ includes }) => point.path.includes(includes));
      const rate = valueAt(lr, epoch) * (group?.lrFactor ?? 1);
      return {
        ...point,
        epoch,
        rate,
        relativeStep: (rate * point.gradient) / ((1 - momentum) * point.norm),
        relativeMovement: point.movement / point.norm,
        effectiveRate: rate / point.norm ** 2,
      };
    });
    return { experiment, rows, points };
  } finally {
    trainer.dispose();
  }
}
