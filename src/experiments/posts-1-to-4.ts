import { piecewiseLinear } from '../optim/schedule';
import type { Schedule } from '../optim/schedule';
import { augmentation, demo, widths } from './base';
import type { BlockName, Experiment, NetRecord } from './record';

/** What a run of the notebook `experiments` changes about the one before it. */
interface Change {
  readonly name: string;
  readonly title: string;
  readonly cell: number;
  readonly net: NetRecord;
  readonly batchSize?: number;
  readonly cutoutSize?: number;
  readonly epochs: number;
  readonly lr: Schedule;
  /** Accuracy in percent and seconds of the run that the post quotes. */
  readonly published: readonly [accPercent: number, timeSec: number];
}

function record({
  batchSize = 512,
  epochs,
  lr,
  cutoutSize,
  published,
  ...rest
}: Change): Experiment {
  const [accPercent, timeSec] = published;
  return {
    ...demo,
    ...rest,
    notebook: 'experiments',
    data: { ...demo.data, transforms: augmentation(cutoutSize), batchSize, dropLast: false },
    optim: { ...demo.optim, lr },
    run: { ...demo.run, epochs },
    published: { accPercent, timeSec, note: 'one run, quoted by the post; training and test' },
  };
}

/** The starting point of post 1, or one of its reductions in post 4. */
function dawn(
  block: BlockName = 'res',
  change: Partial<Extract<NetRecord, { model: 'dawn' }>> = {},
): NetRecord {
  return {
    model: 'dawn',
    block,
    channels: [64, 128, 256, 256],
    prepBnRelu: block !== 'res' && block !== 'pre-activation',
    concatPool: true,
    ...change,
  };
}

function resnet(change: Partial<Extract<NetRecord, { model: 'resnet9' }>>): NetRecord {
  return {
    model: 'resnet9',
    channels: widths,
    weight: 0.125,
    extraLayers: [],
    resLayers: [],
    ...change,
  };
}

const kinked = (peak: number): Schedule => piecewiseLinear([0, 15, 30, 35], [0, peak, 0.005, 0]);
const short = { cutoutSize: 8, epochs: 20, lr: piecewiseLinear([0, 4, 20], [0, 0.4, 0]) } as const;
const long = { epochs: 60, lr: piecewiseLinear([0, 12, 60], [0, 0.4, 0]) } as const;
const residuals = ['layer1', 'layer3'] as const;

/** The sixteen runs of posts 1 to 4, in the notebook's order. */
export const postRecords: readonly Experiment[] = [
  {
    name: 'post1-baseline',
    title: 'the 18-layer network that the study starts from, batch 128',
    cell: 9,
    net: dawn(),
    batchSize: 128,
    epochs: 35,
    lr: kinked(0.1),
    published: [93.76, 300.9] as const,
  },
  {
    name: 'post1-main-thread',
    title: 'the same, augmented without a loader process; here nothing changes but the seed',
    cell: 11,
    net: dawn(),
    batchSize: 128,
    epochs: 35,
    lr: kinked(0.1),
    published: [94.12, 297.2] as const,
  },
  {
    name: 'post2-batch-512',
    title: 'batch four times as large, rate up by a tenth',
    cell: 13,
    net: dawn(),
    epochs: 35,
    lr: kinked(0.44),
    published: [93.88, 256.3] as const,
  },
  {
    name: 'post3-fast-batch-norm',
    title: 'batch norm in fp32, which it always is here',
    cell: 15,
    net: dawn(),
    epochs: 35,
    lr: kinked(0.44),
    published: [94.03, 186.2] as const,
  },
  {
    name: 'post3-cutout',
    title: 'cutout 8x8, a simpler schedule of 30 epochs',
    cell: 17,
    net: dawn(),
    cutoutSize: 8,
    epochs: 30,
    lr: piecewiseLinear([0, 8, 30], [0, 0.4, 0]),
    published: [94.15, 161] as const,
  },
  {
    name: 'post3-batch-768',
    title: 'batch and rate half as large again',
    cell: 19,
    net: dawn(),
    batchSize: 768,
    cutoutSize: 8,
    epochs: 30,
    lr: piecewiseLinear([0, 8, 30], [0, 0.6, 0]),
    published: [94.23, 153.7] as const,
  },
  {
    name: 'post4-backbone',
    title: 'the shortest path: long branches removed',
    cell: 21,
    net: dawn('pre-activation'),
    ...short,
    published: [55.9, 35.6] as const,
  },
  {
    name: 'post4-no-repeat',
    title: 'no repeated batch norm and ReLU',
    cell: 23,
    net: dawn('pointwise'),
    ...short,
    published: [55.99, 31.8] as const,
  },
  {
    name: 'post4-conv-3x3',
    title: '3x3 convolutions of stride 2 in the place of 1x1',
    cell: 25,
    net: dawn('strided'),
    ...short,
    published: [85.63, 35.7] as const,
  },
  {
    name: 'post4-max-pool',
    title: 'max pooling in the place of strides',
    cell: 27,
    net: dawn('max-pool'),
    ...short,
    published: [89.72, 42.7] as const,
  },
  {
    name: 'post4-global-max-pool',
    title: 'global max pooling alone, twice the output width',
    cell: 29,
    net: dawn('max-pool', { channels: [64, 128, 256, 512], concatPool: false }),
    ...short,
    published: [90.66, 46.9] as const,
  },
  {
    name: 'post4-scales',
    title: 'batch norm scales start at 1, logits times 0.125',
    cell: 31,
    net: resnet({}),
    ...short,
    published: [91.12, 46.7] as const,
  },
  {
    name: 'post4-double-width',
    title: 'twice as wide, 60 epochs',
    cell: 33,
    net: resnet({ channels: { prep: 128, layer1: 256, layer2: 512, layer3: 1024 } }),
    cutoutSize: 8,
    ...long,
    published: [93.48, 320.8] as const,
  },
  {
    name: 'post4-extra-layers',
    title: 'one more convolution in each stage, cutout 12x12, 60 epochs: 95 % without residuals',
    cell: 35,
    net: resnet({ extraLayers: ['layer1', 'layer2', 'layer3'] }),
    cutoutSize: 12,
    ...long,
    published: [95.04, 180.8] as const,
  },
  {
    name: 'post4-final-20',
    title: 'residual blocks in the first and third stage, 20 epochs',
    cell: 37,
    net: resnet({ resLayers: residuals }),
    ...short,
    published: [93.65, 65.9] as const,
  },
  {
    name: 'post4-final-24',
    title: 'the same in 24 epochs',
    cell: 39,
    net: resnet({ resLayers: residuals }),
    cutoutSize: 8,
    epochs: 24,
    lr: piecewiseLinear([0, 5, 24], [0, 0.4, 0]),
    published: [94.04, 79.1] as const,
  },
].map(record);
