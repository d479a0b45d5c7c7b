import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import { ExperimentError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { piecewiseLinear } from '../optim/schedule';
import type { Experiment } from './record';

const demo: Experiment = {
  name: 'demo',
  title: 'ResNet-9 in 24 epochs: the network that post 4 ends with',
  net: {
    model: 'resnet9',
    channels: { prep: 64, layer1: 128, layer2: 256, layer3: 512 },
    weight: 0.125,
    extraLayers: [],
    resLayers: ['layer1', 'layer3'],
  },
  loss: { smoothing: 0 },
  data: {
    transforms: [crop(32, 32), flipLR(), cutout(8, 8)],
    pad: 4,
    scheme: 'per-example',
    maxOptions: 200,
    batchSize: 512,
    dropLast: true,
  },
  optim: {
    rule: 'nesterov-a',
    groups: [],
    momentum: 0.9,
    weightDecay: 5e-4,
    lr: piecewiseLinear([0, 5, 24], [0, 0.4, 0]),
  },
  run: { epochs: 24, tta: false },
  published: {
    accPercent: 94.08,
    timeSec: 79,
    note: 'median of 50 runs, 35 of them at 94 % or more; training and test on one V100',
  },
};

/** Every run of the study by name. */
export const catalogue: ReadonlyMap<string, Experiment> = new Map(
  [demo].map((experiment) => [experiment.name, experiment]),
);

/**
 * The record of a name.
 *
 * @throws ExperimentError naming the nearest one, if there is none
 */
export function findExperiment(name: string): Experiment {
  const found = catalogue.get(name);
  if (found === undefined) {
    throw new ExperimentError(
      `record "${name}" does not exist.${nearestHint(name, catalogue.keys())} Records are: ` +
        `${[...catalogue.keys()].join(', ')}.`,
    );
  }
  return found;
}
