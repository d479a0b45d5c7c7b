import { ExperimentError } from '../base/errors';
import { stretch } from '../optim/schedule';
import type { DataConfig, Experiment, NetConfig, OptimConfig, Scale } from './experiment';

/**
 * A record in another size, by one rule for all records.
 *
 * - `full`: as published.
 * - `pocket`: all images, a quarter of every width, a sixth of the epochs (rounded, at least one), the schedule and
 *   the reach of an average of the weights scaled with them; all else equal. Shows which way an ablation points, in minutes.
 * - `smoke`: the first 256 training and 128 test images, a sixteenth of every width, batches of at most 64, two epochs.
 *   Tests the machinery and nothing else; what was published says nothing about it.
 *
 * @throws ExperimentError if the record is in another size than `full` already, or was changed by `overridden`
 */
export function scaled(experiment: Experiment, scale: Scale): Experiment {
  if (experiment.scale !== undefined) {
    throw new ExperimentError(
      `experiment "${experiment.name}" already has scale ${experiment.scale}; it cannot be scaled to ${scale}. ` +
        'Give the experiment of the catalogue.',
    );
  }
  if (scale !== 'full' && experiment.overrides !== undefined) {
    throw new ExperimentError(
      `experiment "${experiment.name}" was changed (${experiment.overrides.join(', ')}), so it cannot be scaled to ` +
        `${scale}. Scale it first, then change it.`,
    );
  }
  switch (scale) {
    case 'full':
      return experiment;
    case 'pocket':
      return resized(experiment, scale, 4, Math.max(1, Math.round(experiment.run.epochs / 6)));
    case 'smoke': {
      const small = resized(experiment, scale, 16, 2);
      return {
        ...small,
        data: {
          ...small.data,
          subset: { train: 256, valid: 128 },
          batchSize: Math.min(64, small.data.batchSize),
        },
      };
    }
    default:
      return scale satisfies never;
  }
}

/** The scale that an experiment is trained in unless another is asked for: what reaches 94 % in minutes, in full. */
export function defaultScale({ post }: Experiment): Scale {
  return post > 8 ? 'full' : 'pocket';
}

/**
 * The same optimiser for a run that is `factor` times as long: the same learning rates and the same memory of the
 * averaged weights at the same share of the run.
 */
export function stretchOptim(
  { lr, ema, lookahead, groups, ...rest }: OptimConfig,
  factor: number,
): OptimConfig {
  return {
    ...rest,
    lr: stretch(lr, factor),
    groups: groups.map((group) => ({
      ...group,
      ...(group.lr === undefined ? {} : { lr: stretch(group.lr, factor) }),
      ...(group.epochs === undefined ? {} : { epochs: group.epochs * factor }),
    })),
    ...(ema === undefined ? {} : { ema: { ...ema, momentum: ema.momentum ** (1 / factor) } }),
    ...(lookahead === undefined
      ? {}
      : { lookahead: { ...lookahead, from: (lookahead.from ?? 0) * factor } }),
  };
}

/** The same data for a run that is `factor` times as long: the same sizes of images at the same share of the run. */
export function stretchData({ sizes, ...rest }: DataConfig, factor: number): DataConfig {
  if (sizes === undefined) return rest;
  return { ...rest, sizes: sizes.map(({ from, size }) => ({ from: from * factor, size })) };
}

function resized(
  experiment: Experiment,
  scale: Scale,
  divisor: number,
  epochs: number,
): Experiment {
  const { net, data, optim, run } = experiment;
  return {
    ...experiment,
    scale,
    net: narrowed(net, divisor),
    data: stretchData(data, epochs / run.epochs),
    optim: stretchOptim(optim, epochs / run.epochs),
    run: { ...run, epochs },
  };
}

function narrowed(net: NetConfig, divisor: number): NetConfig {
  const width = (channels: number): number => Math.max(1, Math.round(channels / divisor));
  if (net.model === 'dawn') {
    const [c0, c1, c2, c3] = net.channels;
    return { ...net, channels: [width(c0), width(c1), width(c2), width(c3)] };
  }
  if (net.model === 'airbench') {
    const { block1, block2, block3 } = net.channels;
    return {
      ...net,
      channels: { block1: width(block1), block2: width(block2), block3: width(block3) },
    };
  }
  const { prep, layer1, layer2, layer3 } = net.channels;
  const channels = {
    prep: width(prep),
    layer1: width(layer1),
    layer2: width(layer2),
    layer3: width(layer3),
  };
  return { ...net, channels };
}
