import { ExperimentError } from '../base/errors';
import { stretch } from '../optim/schedule';
import type { DataConfig, Experiment, NetConfig, OptimConfig, Scale } from './experiment';

/**
 * An experiment at another scale, by the same rule for all experiments.
 *
 * - `full`: as published.
 * - `pocket`: all images, a quarter of every width, a sixth of the epochs (rounded, at least one). Schedules, image sizes and
 *   averages of the weights are stretched with the epochs; the rest is unchanged. Shows the direction of an ablation in minutes.
 * - `smoke`: the first 256 training and 128 test images, a sixteenth of every width, batches of at most 64, two epochs.
 *   Only tests that training works; published figures do not apply.
 *
 * @throws ExperimentError if the experiment already has another scale than `full`, or was changed by `overridden`
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

/** The default scale: `full` for experiments published after the posts, which reach 94 % in minutes; else `pocket`. */
export function defaultScale({ post }: Experiment): Scale {
  return post > 8 ? 'full' : 'pocket';
}

/**
 * The same optimiser for a run that is `factor` times as long: at the same share of the run, learning rates and the memory of
 * the averaged weights are the same.
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

/** The same data for a run that is `factor` times as long: at the same share of the run, image sizes are the same. */
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
