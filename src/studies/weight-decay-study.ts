import { followWeights } from '../analysis/weight-dynamics';
import type { WeightPoint } from '../analysis/weight-dynamics';
import type { Cifar10 } from '../data/cifar10';
import type { SessionOptions } from '../engine/session';
import { constant, valueAt } from '../optim/schedule';
import { stepsIn } from '../train/pace';
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

/** Changes to a run of post 6's study. Default: as in {@link weightDecayStudy}. */
export interface WeightDecayChanges extends Partial<Hyperparameters> {
  readonly batchSize?: number;
  /**
   * Changes the rate and decay of the convolutions as if their weights were scaled by this factor: multiplies the rate by its
   * square and divides the decay by it.
   */
  readonly asIfScaledBy?: number;
  /** Uses LARS for the convolutions, at the relative rate of SGD in equilibrium. Default: false. */
  readonly isLars?: boolean;
}

/** The runs of the study at each scale, all at a constant rate. The post does not give its own settings. */
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
 * A run of post 6's study of the norm of weights and how far they move: `demo` at a constant rate, long enough for weight
 * decay and gradients to reach equilibrium.
 *
 * `full` scale has ten epochs at the highest rate of `demo`. `pocket` scale has an eighth of each width, 20,480 images, batches
 * of 128 and five epochs, so 800 steps, at rate 0.2 and decay 0.001. Their product sets how fast equilibrium is reached, and
 * equals that of `demo`.
 *
 * @throws ExperimentError if a value is invalid
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
 * The size of a step relative to the weights in SGD's equilibrium, by post 6's argument, if batch norm makes the norm of the
 * weights irrelevant: rate |gradient| / ((1 - momentum) |weights|) = sqrt(2 rate decay / (1 - momentum)).
 *
 * Decay shrinks the weights in proportion to their norm. Gradients are orthogonal to the weights and increase the norm by the
 * square of the step. Where the two are equal, the norm is constant.
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
  /** The schedule's value, times the rate factor of the layer's optimiser group. */
  readonly rate: number;
  /** rate |gradient| / ((1 - momentum) |weights|); meaningless under LARS, which sets its own rate. */
  readonly relativeStep: number;
  /** How far the step moved the weights, divided by their norm. */
  readonly relativeMovement: number;
  /** rate / |weights|^2: the rate that would move weights of norm 1 by the same relative amount. */
  readonly effectiveRate: number;
};

/**
 * Averages the points of a run over intervals of an epoch, layer by layer, to remove the scatter of single steps.
 *
 * Each average is placed at the last step of its interval.
 *
 * @param perEpoch intervals per epoch
 */
export function averagedPoints(
  points: readonly FollowedPoint[],
  perEpoch: number,
): FollowedPoint[] {
  const groups = new Map<string, FollowedPoint[]>();
  for (const point of points) {
    // A step at a boundary belongs to the interval that ends there: 0.25 to the first of four.
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

/** A run with its weights tracked. */
export interface FollowedRun {
  readonly experiment: Experiment;
  readonly rows: readonly EpochRow[];
  readonly points: readonly FollowedPoint[];
}

/** Options of {@link followExperiment}. */
export interface FollowOptions extends Pick<Watch, 'signal' | 'onProgress'> {
  readonly data: Cifar10;
  /** Seed of initial weights, order and augmentation. Default: 0. */
  readonly seed?: number;
  /** Default: captured, in the fastest precision of this hardware. */
  readonly engine?: SessionOptions;
  /** Scales the initial weights of the convolutions by this factor. Default: 1. */
  readonly startScale?: number;
  /** Called before the first step, with the expected duration in seconds. */
  readonly onStart?: (seconds: number) => void;
}

/**
 * Trains an experiment, already scaled, and tracks the weights of every layer at every step; writes nothing to disk.
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
  const stepsPerEpoch = experiment.data.dropLast ? Math.floor(perEpoch) : Math.ceil(perEpoch);
  const steps = stepsIn(epochs, stepsPerEpoch);
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
