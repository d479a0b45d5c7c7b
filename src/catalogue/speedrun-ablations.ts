import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import type { Experiment, OptimConfig } from './experiment';
import type { MuonOptions } from '../optim/muon';
import { batch1024 } from './speedrun';
import { changed, sgdDecay, triangle, withoutAverage } from './speedrun-steps';

const { jitter: _jitter, ...withoutJitter } = batch1024.data;
const { sizes: _sizes, ...withoutSizes } = batch1024.data;

/** An optimiser with a changed group for the kernels of the blocks. */
function kernels(
  optim: OptimConfig,
  change: (group: OptimConfig['groups'][number]) => OptimConfig['groups'][number],
): OptimConfig {
  return {
    ...optim,
    groups: optim.groups.map((group) => (group.includes === 'block' ? change(group) : group)),
  };
}

const iterated = (change: Partial<MuonOptions>): OptimConfig =>
  kernels(batch1024.optim, (group) =>
    group.muon === undefined ? group : { ...group, muon: { ...group.muon, ...change } },
  );

/** `speedrun-batch-1024` with one part removed or replaced, to measure its contribution to the result. */
export const speedrunAblations: readonly Experiment[] = [
  changed(batch1024, {
    name: 'speedrun-without-muon',
    title: 'speedrun-batch-1024, its kernels trained with the SGD of airbench94',
    optim: kernels(batch1024.optim, ({ includes }) => ({
      includes,
      lrFactor: 1,
      weightDecayFactor: 1,
      lr: triangle(batch1024.run.epochs),
      momentum: 0.85,
      weightDecay: sgdDecay,
    })),
  }),
  changed(batch1024, {
    name: 'speedrun-without-whitening',
    title: 'speedrun-batch-1024, its first convolution with random filters',
    net: { whiteningImages: 0 },
  }),
  changed(batch1024, {
    name: 'speedrun-without-dirac',
    title: 'speedrun-batch-1024, its kernels starting at random',
    net: { init: 'uniform' },
  }),
  changed(batch1024, {
    name: 'speedrun-without-biases',
    title: 'speedrun-batch-1024, the biases of its norms fixed at 0',
    optim: {
      ...batch1024.optim,
      groups: batch1024.optim.groups.map((group) =>
        group.includes === 'bias' ? { ...group, lrFactor: 0 } : group,
      ),
    },
  }),
  changed(batch1024, {
    name: 'speedrun-without-alternating',
    title: 'speedrun-batch-1024, images mirrored at random',
    data: { transforms: [crop(32, 32), flipLR()] },
  }),
  changed(batch1024, {
    name: 'speedrun-without-average',
    title: 'speedrun-batch-1024, without the average of its last weights',
    optim: withoutAverage(batch1024.optim),
  }),
  {
    ...changed(batch1024, {
      name: 'speedrun-without-sizes',
      title: 'speedrun-batch-1024, images of 32 pixels from the start',
    }),
    data: withoutSizes,
  },
  {
    ...changed(batch1024, {
      name: 'speedrun-without-jitter',
      title: 'speedrun-batch-1024, without random brightness and contrast',
    }),
    data: withoutJitter,
  },
  changed(batch1024, {
    name: 'speedrun-without-smoothing',
    title: 'speedrun-batch-1024, labels not smoothed',
    loss: { smoothing: 0 },
  }),
  changed(batch1024, {
    name: 'speedrun-with-cutout',
    title: 'speedrun-batch-1024, a box of 8x8 pixels blanked',
    data: { transforms: [...batch1024.data.transforms, cutout(8, 8)] },
  }),
  changed(batch1024, {
    name: 'speedrun-two-iterations',
    title: 'speedrun-batch-1024, two iterations of Newton-Schulz instead of three',
    optim: iterated({ iterations: 2 }),
  }),
  changed(batch1024, {
    name: 'speedrun-five-iterations',
    // Those of hiverge, for three iterations, diverge from the fourth on.
    title:
      'speedrun-batch-1024, five iterations of Newton-Schulz, with the coefficients of airbench94',
    optim: iterated({ iterations: 5, coefficients: [3.4445, -4.775, 2.0315] }),
  }),
];
