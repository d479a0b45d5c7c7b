import { crop } from '../augment/crop';
import { flipLR } from '../augment/flip';
import { piecewiseLinear } from '../optim/schedule';
import type { Schedule } from '../optim/schedule';
import type { MuonOptions } from '../optim/muon';
import type { Experiment, NetConfig, OptimConfig } from './experiment';

/** An optimiser of the airbench family in the units of its scripts: learning rates for the **summed** loss of a batch. */
interface Recipe {
  readonly batchSize: number;
  readonly momentum: number;
  readonly biasLr: number;
  readonly headLr: number;
  /** L2 coefficient times learning rate, for biases and head, divided by the batch size. */
  readonly decay: number;
  /** Epochs in which the whitening bias is trained; its learning rate falls to 0. */
  readonly whiteningEpochs: number;
  /** Factor of all other learning rates over epochs. */
  readonly schedule: Schedule;
  readonly muonLr: number;
  readonly muonMomentum: number;
  readonly muonDecay: number;
  readonly muon: MuonOptions;
}

/** Muon for kernels, momentum SGD in Nesterov's form for the rest; the head is not in any group. */
function optimOf(recipe: Recipe): OptimConfig {
  const { batchSize, momentum, biasLr, headLr, decay, schedule } = recipe;
  const times = ({ knots, vals }: Schedule, factor: number): Schedule =>
    piecewiseLinear(
      knots,
      vals.map((val) => val * factor),
    );
  return {
    rule: 'nesterov-a',
    groups: [
      {
        includes: 'whiten/conv/bias',
        lrFactor: 1,
        weightDecayFactor: headLr / biasLr,
        lr: piecewiseLinear([0, recipe.whiteningEpochs], [biasLr * batchSize, 0]),
        epochs: recipe.whiteningEpochs,
      },
      { includes: 'bias', lrFactor: biasLr / headLr, weightDecayFactor: headLr / biasLr },
      {
        includes: 'block',
        rule: 'muon',
        lrFactor: 1,
        weightDecayFactor: 1,
        lr: times(schedule, recipe.muonLr),
        momentum: recipe.muonMomentum,
        weightDecay: recipe.muonDecay,
        muon: recipe.muon,
      },
    ],
    momentum,
    weightDecay: decay / headLr,
    lr: times(schedule, headLr * batchSize),
    firstStep: 0,
  };
}

const network: Extract<NetConfig, { model: 'airbench' }> = {
  model: 'airbench',
  channels: { block1: 64, block2: 256, block3: 256 },
  act: 'gelu',
  normMomentum: 0.4,
  weight: 1 / 256,
  whiteningImages: 5000,
};

const about = { post: 9, notebook: 'speedrun' } as const;

/** Test images evaluated after every epoch but the last: enough to follow a run, for about 1 % of its time. */
const midwayImages = 2000;

/** airbench94 with Muon. */
export const airbench: Experiment = {
  ...about,
  name: 'airbench94-muon',
  title: 'airbench94 with Muon: eight epochs, kernels updated with orthogonalised momentum (2024)',
  net: network,
  loss: { smoothing: 0.2 },
  data: {
    transforms: [crop(32, 32), flipLR({ isAlternating: true })],
    pad: 2,
    scheme: 'per-example',
    maxOptions: 200,
    batchSize: 2000,
    dropLast: true,
  },
  optim: optimOf({
    batchSize: 2000,
    momentum: 0.85,
    biasLr: 0.053,
    headLr: 0.67,
    decay: 2e-6,
    whiteningEpochs: 3,
    schedule: piecewiseLinear([0, 8], [1, 0]),
    muonLr: 0.24,
    muonMomentum: 0.6,
    muonDecay: 0,
    muon: { iterations: 3, coefficients: [3.4445, -4.775, 2.0315], rescale: 'every-step' },
  }),
  run: { epochs: 8, tta: 'six-views', midwayImages },
  published: {
    hardware: 'A100',
    accPercent: 94.01,
    timeSec: 2.59,
    runs: 200,
    note: 'KellerJordan/cifar10-airbench, airbench94_muon.py (2024): mean; one A100, training and evaluation',
  },
};

const hivergeRecipe: Recipe = {
  batchSize: 1536,
  momentum: 0.825,
  biasLr: 0.0573,
  headLr: 0.5415,
  decay: 1.0418e-6,
  whiteningEpochs: 7 / 32,
  schedule: piecewiseLinear([0, 7.59], [1, 0]),
  muonLr: 0.205,
  muonMomentum: 0.655,
  muonDecay: 1.0418e-6 * 1536,
  muon: {
    iterations: 3,
    coefficients: [3.4576, -4.7391, 2.0843],
    rescale: { first: 2, growth: 15 },
  },
};

const hivergeNetwork: typeof network = {
  ...network,
  act: 'silu',
  normMomentum: 0.4434,
  whiteningImages: 960,
};

/** The result of a search over airbench94 with Muon. */
export const hiverge: Experiment = {
  ...about,
  name: 'hiverge',
  title:
    'hiverge: SiLU, brightness and contrast, views only for images that the network is unsure of (2025)',
  net: hivergeNetwork,
  loss: { smoothing: 0.09 },
  data: {
    ...airbench.data,
    batchSize: 1536,
    jitter: { brightness: 0.1399, contrast: 0.1308 },
    validBatchSize: 2000,
  },
  optim: optimOf(hivergeRecipe),
  run: { epochs: 7.59, tta: 'six-views-if-unsure', midwayImages },
  published: {
    hardware: 'A100',
    accPercent: 94.008,
    timeSec: 1.98,
    runs: 2000,
    note: 'hiverge/cifar10-speedrun at 5cd49b1 (2025): mean; one A100, training and evaluation',
  },
};

/** {@link hiverge} on smaller images first, with averaged weights at the end. */
export const fulcrum: Experiment = {
  ...about,
  name: 'fulcrum',
  title: 'fulcrum: images of 24, then 28, then 32 pixels, and a tail of averaged weights (2026)',
  net: { ...hivergeNetwork, whiteningImages: 5000 },
  loss: hiverge.loss,
  data: {
    ...hiverge.data,
    sizes: [
      { from: 0, size: 24 },
      { from: 3, size: 28 },
      { from: 6, size: 32 },
    ],
  },
  optim: {
    ...optimOf({
      ...hivergeRecipe,
      // Without the floor of 0.05, it would fall to 0 at 8.5 epochs.
      schedule: piecewiseLinear([0, 0.95 * 8.5], [1, 0.05]),
      muonLr: 0.2255,
    }),
    lookahead: { decay: 0.7, every: 4, from: 8.25 },
  },
  run: { ...hiverge.run, epochs: 8.875 },
  published: {
    hardware: 'A100',
    accPercent: 94.046,
    timeSec: 1.828,
    runs: 200,
    note: 'fulcrumresearch/cifar-10-speedrun at ddec65f (2026): mean over test images 2,000 to 9,999; one A100, training without test-time augmentation',
  },
};

/**
 * `fulcrum` in batches of 1,024. More and smaller updates are free if a batch of 1,024 keeps the processor as busy as one of
 * 1,536. The learning rates of biases and head are for the summed loss and stay the same; that of Muon falls with the square
 * root of the batch size.
 */
export const batch1024: Experiment = {
  ...about,
  name: 'speedrun-batch-1024',
  title: 'batches of 1,024, for nine epochs',
  net: fulcrum.net,
  loss: fulcrum.loss,
  data: { ...fulcrum.data, batchSize: 1024 },
  optim: {
    ...optimOf({
      ...hivergeRecipe,
      batchSize: 1024,
      schedule: piecewiseLinear([0, 8.2], [1, 0.05]),
      muonLr: 0.185,
      muonDecay: 1.0418e-6 * 1536,
    }),
    lookahead: { decay: 0.7, every: 6, from: 8.375 },
  },
  run: { ...fulcrum.run, epochs: 9 },
};

/**
 * {@link batch1024} with smaller images for longer: the first epoch of 20 pixels, three of 24, two of 28 and the last three of
 * 32. Like images of 24 pixels, those of 20 have a last map of 2x2.
 */
export const fastest: Experiment = {
  ...batch1024,
  name: 'fastest',
  title: 'fastest: 94 % with the least arithmetic; images of 20, 24, 28, then 32 pixels',
  data: {
    ...batch1024.data,
    sizes: [
      { from: 0, size: 20 },
      { from: 1, size: 24 },
      { from: 4, size: 28 },
      { from: 6, size: 32 },
    ],
  },
};

/** The experiments published after the study, newest last, followed by our own. */
export const speedrunExperiments: readonly Experiment[] = [airbench, hiverge, fulcrum, fastest];
