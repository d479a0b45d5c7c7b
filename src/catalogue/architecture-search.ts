import type { Stage } from '../models/resnet9';
import { piecewiseLinear } from '../optim/schedule';
import { basedOn, demo, widths } from './bases';
import type { Experiment, Published } from './experiment';

const stages: readonly Stage[] = ['layer1', 'layer2', 'layer3'];

/** Every set of stages, the empty one first: 1, 2, 12, 3, 13, 23, 123. */
const subsets = Array.from({ length: 2 ** stages.length }, (_, bits) =>
  stages.filter((_stage, index) => (bits >> index) % 2 === 1),
);

const none: readonly Stage[] = [];
const networks: readonly {
  readonly suffix: string;
  readonly what: string;
  readonly extraLayers: readonly Stage[];
  readonly resLayers: readonly Stage[];
}[] = [
  { suffix: 'plain', what: 'the backbone', extraLayers: none, resLayers: none },
  ...(['extra', 'res'] as const).flatMap((kind) =>
    subsets.slice(1).map((chosen) => {
      const numbers = chosen.map((stage) => stage.replace('layer', ''));
      const block = kind === 'extra' ? 'a convolution' : 'a residual block';
      return {
        suffix: `${kind}-${numbers.join('')}`,
        what: `the backbone, ${block} more in stage ${numbers.join(', ').replace(/, (?=\d$)/, ' and ')}`,
        extraLayers: kind === 'extra' ? chosen : none,
        resLayers: kind === 'res' ? chosen : none,
      };
    }),
  ),
];

/** The post's figures for the best network; for the others it has charts without numbers. */
const winner: Published = {
  hardware: 'V100',
  accPercent: 93.8,
  timeSec: 66,
  runs: 10,
  note: 'mean, from the text of the post; time of training and test',
};

/**
 * The search of post 4: the backbone alone, and with one more convolution or a residual block in every subset of its three
 * stages; 15 networks, each for 20 and for 22 epochs. The post ran each of them ten times.
 */
export const architectureSearchExperiments: readonly Experiment[] = networks.flatMap(
  ({ suffix, what, extraLayers, resLayers }) =>
    [20, 22].map((epochs): Experiment => {
      return {
        ...basedOn(demo, 'posts'),
        name: `post4-search-${suffix}-${epochs}`,
        title: `${what}, ${epochs} epochs`,
        net: { model: 'resnet9', channels: widths, weight: 0.125, extraLayers, resLayers },
        data: { ...demo.data, dropLast: false },
        optim: {
          ...demo.optim,
          lr: piecewiseLinear([0, epochs / 5, epochs], [0, 0.4, 0]),
        },
        run: { ...demo.run, epochs },
        ...(suffix === 'res-13' && epochs === 20 ? { published: winner } : {}),
      };
    }),
);
