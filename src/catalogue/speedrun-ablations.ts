import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { flipLR } from '../augment/flip';
import type { Experiment, OptimConfig } from './experiment';
import { fastest } from './speedrun';
import { changed, sgdDecay, triangle, withoutAverage } from './speedrun-steps';

const { jitter: _jitter, ...withoutJitter } = fastest.data;
const { sizes: _sizes, ...withoutSizes } = fastest.data;

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

const iterated = (iterations: number): OptimConfig =>
  kernels(fastest.optim, (group) =>
    group.muon === undefined ? group : { ...group, muon: { ...group.muon, iterations } },
  );

/** `fastest` with one part removed or replaced, to measure its contribution to the result. */
export const speedrunAblations: readonly Experiment[] = [
  changed(fastest, {
    name: 'speedrun-without-muon',
    title: 'fastest, its kernels trained with the SGD of airbench94',
    optim: kernels(fastest.optim, ({ includes }) => ({
      includes,
      lrFactor: 1,
      weightDecayFactor: 1,
      lr: triangle(fastest.run.epochs),
      momentum: 0.85,
      weightDecay: sgdDecay,
    })),
  }),
  changed(fastest, {
    name: 'speedrun-without-whitening',
    title: 'fastest, its first convolution with random filters',
    net: { whiteningImages: 0 },
  }),
  changed(fastest, {
    name: 'speedrun-without-dirac',
    title: 'fastest, its kernels starting at random',
    net: { init: 'uniform' },
  }),
  changed(fastest, {
    name: 'speedrun-without-biases',
    title: 'fastest, the biases of its norms fixed at 0',
    optim: {
      ...fastest.optim,
      groups: fastest.optim.groups.map((group) =>
        group.includes === 'bias' ? { ...group, lrFactor: 0 } : group,
      ),
    },
  }),
  changed(fastest, {
    name: 'speedrun-without-alternating',
    title: 'fastest, images mirrored at random',
    data: { transforms: [crop(32, 32), flipLR()] },
  }),
  changed(fastest, {
    name: 'speedrun-without-average',
    title: 'fastest, without the average of its last weights',
    optim: withoutAverage(fastest.optim),
  }),
  {
    ...changed(fastest, {
      name: 'speedrun-without-sizes',
      title: 'fastest, images of 32 pixels from the start',
    }),
    data: withoutSizes,
  },
  {
    ...changed(fastest, {
      name: 'speedrun-without-jitter',
      title: 'fastest, without random brightness and contrast',
    }),
    data: withoutJitter,
  },
  changed(fastest, {
    name: 'speedrun-without-smoothing',
    title: 'fastest, labels not smoothed',
    loss: { smoothing: 0 },
  }),
  changed(fastest, {
    name: 'speedrun-with-cutout',
    title: 'fastest, a box of 8x8 pixels blanked',
    data: { transforms: [...fastest.data.transforms, cutout(8, 8)] },
  }),
  changed(fastest, {
    name: 'speedrun-two-iterations',
    title: 'fastest, two iterations of Newton-Schulz instead of three',
    optim: iterated(2),
  }),
  changed(fastest, {
    name: 'speedrun-five-iterations',
    title: 'fastest, five iterations of Newton-Schulz instead of three',
    optim: iterated(5),
  }),
];
