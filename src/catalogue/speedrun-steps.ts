import { crop } from '../augment/crop';
import { flipLR } from '../augment/flip';
import { piecewiseLinear } from '../optim/schedule';
import { bagOfTricksExperiments } from './bag-of-tricks';
import type { Experiment, OptimConfig } from './experiment';
import { airbench, batch1024, fastest, fulcrum, hiverge } from './speedrun';

/** The difference of an experiment from its base: for each part, the values that change. */
interface Difference {
  readonly name: string;
  readonly title: string;
  readonly net?: object;
  readonly loss?: Experiment['loss'];
  readonly data?: Partial<Experiment['data']>;
  readonly optim?: OptimConfig;
  readonly run?: Partial<Experiment['run']>;
}

/** Makes an experiment from a base and a difference, without published figures. */
export function changed(base: Experiment, { name, title, ...parts }: Difference): Experiment {
  return {
    name,
    title,
    post: 9,
    notebook: 'speedrun',
    net: { ...base.net, ...parts.net },
    loss: parts.loss ?? base.loss,
    data: { ...base.data, ...parts.data },
    optim: parts.optim ?? base.optim,
    run: { ...base.run, ...parts.run },
  };
}

/** The experiment that post 8 ends with, from which the first step starts. */
const start = bagOfTricksExperiments[bagOfTricksExperiments.length - 1];

/** Epochs of airbench94 before Muon. */
const sgdEpochs = 9.9;

/**
 * The learning rate of airbench94 before Muon, for the mean loss of a batch of 1,024. Its peak is 11.5 / (1 + 1 / (1 - 0.85)),
 * after 23 % of the run.
 *
 * @see Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, arXiv:2404.00498 (2024)
 */
export function triangle(epochs: number): OptimConfig['lr'] {
  const peak = 1.5;
  return piecewiseLinear([0, 0.23 * epochs, epochs], [0.2 * peak, peak, 0.07 * peak]);
}

/** The weight decay of airbench94, 0.0153 per batch of 1,024 and decoupled from its learning rate of 11.5, as a coefficient. */
export const sgdDecay: number = 0.0153 / 11.5;

/** Momentum SGD of airbench94, with the learning rate of the norms' biases multiplied by a factor and their decay divided. */
function sgd(biasFactor: number): OptimConfig {
  return {
    rule: 'nesterov-a',
    groups: [
      { includes: 'whiten/conv/bias', lrFactor: 1, weightDecayFactor: 1, epochs: 3 },
      ...(biasFactor === 1
        ? []
        : [{ includes: 'bias', lrFactor: biasFactor, weightDecayFactor: 1 / biasFactor }]),
    ],
    momentum: 0.85,
    weightDecay: sgdDecay,
    lr: triangle(sgdEpochs),
    firstStep: 0,
  };
}

/** The optimiser without its average of weights. */
export function withoutAverage({ lookahead: _lookahead, ...optim }: OptimConfig): OptimConfig {
  return optim;
}

const network: Experiment = {
  ...changed(start, {
    name: 'speedrun-network',
    title: 'a smaller network without residuals: three blocks of two convolutions, GELU',
  }),
  net: {
    model: 'airbench',
    channels: { block1: 64, block2: 256, block3: 256 },
    act: 'gelu',
    normMomentum: 0.4,
    weight: 1 / 9,
    whiteningImages: 0,
    init: 'uniform',
    isHeadStandardised: false,
  },
};

const shorter = changed(network, {
  name: 'speedrun-sgd',
  title: 'SGD of airbench94: batch 1,024, a rate that falls from 23 % on, shifts of two pixels',
  data: {
    transforms: [crop(32, 32), flipLR()],
    pad: 2,
    scheme: 'per-example',
    batchSize: 1024,
  },
  optim: sgd(1),
  run: { epochs: sgdEpochs, midwayImages: 2000 },
});

const whitened = changed(shorter, {
  name: 'speedrun-whitening',
  title: 'the first convolution whitens patches of 2x2 pixels',
  net: { whiteningImages: 5000 },
});

const dirac = changed(whitened, {
  name: 'speedrun-dirac',
  title: 'kernels start as identities (Dirac)',
  net: { init: 'dirac' },
});

const biases = changed(dirac, {
  name: 'speedrun-biases',
  title: 'biases of norms learn 64 times as fast',
  optim: sgd(64),
});

const views = changed(biases, {
  name: 'speedrun-views',
  title: 'six views of each test image',
  run: { tta: 'six-views' },
});

const alternating = changed(views, {
  name: 'speedrun-alternating',
  title: 'an image is mirrored in every second epoch, no longer at random',
  data: { transforms: [crop(32, 32), flipLR({ isAlternating: true })] },
});

const unsure = changed(airbench, {
  name: 'speedrun-unsure',
  title: 'six views only for the quarter of the test images that the network is unsure of',
  run: { tta: 'six-views-if-unsure' },
});

const silu = changed(unsure, {
  name: 'speedrun-silu',
  title: 'SiLU in the blocks',
  net: { act: 'silu' },
});

const jitter = changed(silu, {
  name: 'speedrun-jitter',
  title: 'random brightness and contrast, smoothing of 0.09',
  loss: { smoothing: 0.09 },
  data: { jitter: { brightness: 0.1399, contrast: 0.1308 } },
});

const sizes = changed(fulcrum, {
  name: 'speedrun-sizes',
  title: 'images of 24, then 28, then 32 pixels, without an average',
  optim: withoutAverage(fulcrum.optim),
});

/** The steps from the last network of post 8 to `fastest`, each a change of the previous one. */
export const speedrunSteps: readonly Experiment[] = [
  start,
  network,
  shorter,
  whitened,
  dirac,
  biases,
  views,
  alternating,
  airbench,
  unsure,
  silu,
  jitter,
  hiverge,
  sizes,
  fulcrum,
  batch1024,
  fastest,
];
