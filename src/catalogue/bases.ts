import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import type { Transform } from '../augment/transform';
import { piecewiseLinear } from '../optim/schedule';
import type { Experiment, NetConfig, Notebook } from './experiment';

/** Crop and horizontal flip; with `cutoutSize`, also cutout of that size. */
export function augmentation(cutoutSize?: number): readonly Transform[] {
  const box = cutoutSize === undefined ? [] : [cutout(cutoutSize, cutoutSize)];
  return [crop(32, 32), flipLR(), ...box];
}

/** The widths of ResNet-9 as published. */
export const widths: Extract<NetConfig, { model: 'resnet9' }>['channels'] = {
  prep: 64,
  layer1: 128,
  layer2: 256,
  layer3: 512,
};

/** The network that post 4 ends with, trained for 24 epochs: the base of most other experiments. */
export const demo: Experiment = {
  name: 'demo',
  title: 'ResNet-9 in 24 epochs: the network that post 4 ends with',
  post: 4,
  notebook: 'demo',
  cell: 10,
  net: {
    model: 'resnet9',
    channels: widths,
    weight: 0.125,
    extraLayers: [],
    resLayers: ['layer1', 'layer3'],
  },
  loss: { smoothing: 0 },
  data: {
    transforms: augmentation(8),
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
    hardware: 'V100',
    accPercent: 94.08,
    timeSec: 79,
    runs: 50,
    reached: 35,
    note: 'median; time of training and test',
  },
};

/** An experiment as the base of one that is shown elsewhere: everything but its cell and its published figures. */
export function basedOn(
  { cell: _cell, published: _published, ...rest }: Experiment,
  notebook: Notebook,
): Omit<Experiment, 'cell' | 'published'> {
  return { ...rest, notebook };
}
