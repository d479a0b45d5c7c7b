import { piecewiseLinear } from '../optim/schedule';
import type { Schedule } from '../optim/schedule';
import { augmentation, basedOn } from './bases';
import { bagOfTricksExperiments } from './bag-of-tricks';
import type { Experiment } from './experiment';

interface Study {
  readonly name: string;
  readonly title: string;
  /** The step of post 8 that provides network, loss, average and groups. */
  readonly step: Experiment;
  readonly lr: (epochs: number) => Schedule;
  /** Epochs, accuracy in percent, accuracy with mirror images, and seconds of training. */
  readonly published: readonly (readonly [
    epochs: number,
    accPercent: number,
    ttaAccPercent: number,
    timeSec: number,
  ])[];
}

const studies: readonly Study[] = [
  {
    name: 'baseline',
    title: 'the network of post 4',
    step: bagOfTricksExperiments[0],
    lr: (epochs) => piecewiseLinear([0, 5, epochs], [0, 0.4, 0]),
    published: [
      [24, 93.92, 94.41, 69.6],
      [40, 94.71, 95.18, 115.9],
      [60, 95.15, 95.57, 173.8],
      [80, 95.2, 95.7, 231.5],
      [100, 95.3, 95.71, 289.2],
    ],
  },
  {
    name: 'final',
    title: 'the recipe of post 8',
    step: bagOfTricksExperiments[bagOfTricksExperiments.length - 1],
    lr: (epochs) => piecewiseLinear([0, epochs / 5, epochs - 2], [0, 0.4, 0.04]),
    published: [
      [24, 94.68, 95.12, 61.8],
      [40, 95.39, 95.76, 102.9],
      [60, 95.53, 95.9, 154.4],
      [80, 95.72, 96.13, 205.8],
      [100, 95.78, 96.12, 257.3],
    ],
  },
];

function experimentOf({ name, title, step, lr }: Study, epochs: number): Experiment {
  return {
    ...basedOn(step, 'bag_of_tricks'),
    name: `post8-converge-${name}-${epochs}`,
    title: `${title} towards convergence: ${epochs} epochs, cutout 12x12`,
    cell: 90,
    data: { ...step.data, transforms: augmentation(12) },
    optim: { ...step.optim, lr: lr(epochs) },
    run: { epochs, tta: false, finalTta: true },
  };
}

/** The last study of post 8: the accuracy that its first and its last network reach in longer runs. */
export const convergenceExperiments: readonly Experiment[] = studies.flatMap((study) =>
  study.published.map(([epochs, accPercent, ttaAccPercent, timeSec]) => ({
    ...experimentOf(study, epochs),
    published: {
      hardware: 'V100',
      accPercent,
      ttaAccPercent,
      timeSec,
      runs: 5,
      note: 'mean, from the runs stored in the notebook; time of training',
    },
  })),
);

/** Two run lengths that are mentioned in the post but not in its notebook. */
export const epochClaims: readonly Experiment[] = [
  {
    ...basedOn(bagOfTricksExperiments[0], 'posts'),
    name: 'post8-tta-19',
    title: 'the network of post 4 with mirror images: 19 epochs would do for 94 %',
    optim: {
      ...bagOfTricksExperiments[0].optim,
      lr: piecewiseLinear([0, 5, 19], [0, 0.4, 0]),
    },
    run: { epochs: 19, tta: true },
    published: {
      hardware: 'V100',
      accPercent: 94,
      timeSec: 60,
      note: 'estimate of the post; time of training',
    },
  },
  {
    ...basedOn(experimentOf(studies[1], 70), 'posts'),
    published: {
      hardware: 'V100',
      ttaAccPercent: 96,
      timeSec: 180,
      note: 'interpolated by the post between 60 and 80 epochs; time of training',
    },
  },
];
