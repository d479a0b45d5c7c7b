import { piecewiseLinear } from '../optim/schedule';
import type { Schedule } from '../optim/schedule';
import { augmentation, demo, widths } from './bases';
import type { Experiment, LossConfig, NetConfig, Published } from './experiment';

type Net = Extract<NetConfig, { model: 'unbranched' }>;

/** The settings of a training of post 7. */
interface Choice {
  readonly name: string;
  readonly title: string;
  readonly cell: number;
  readonly norm: Net['norm'];
  readonly act: Net['act'];
  readonly loss: LossConfig;
  readonly epochs: number;
  readonly lr: Schedule;
  readonly mayDiverge?: boolean;
  readonly published: Published;
}

function experimentOf({ norm, act, epochs, lr, mayDiverge = false, ...rest }: Choice): Experiment {
  return {
    ...demo,
    ...rest,
    post: 7,
    notebook: 'batch_norm',
    net: {
      model: 'unbranched',
      channels: widths,
      norm,
      act,
      extraLayers: ['layer1', 'layer2', 'layer3'],
      resLayers: [],
    },
    data: { ...demo.data, transforms: augmentation() },
    optim: { ...demo.optim, rule: 'nesterov-b', weightDecay: 1e-4, lr },
    run: { ...demo.run, epochs, ...(mayDiverge ? { mayDiverge } : {}) },
  };
}

const stressEpochs = 25;

/** The learning rate at the end of epoch k is 0.005 * 2 ** (k / 2), from epoch 0 on. */
const rising: Schedule = piecewiseLinear(
  Array.from({ length: stressEpochs + 1 }, (_, k) => k),
  Array.from({ length: stressEpochs + 1 }, (_, k) => 0.005 * 2 ** (k / 2)),
);

const stress = {
  cell: 18,
  act: { kind: 'relu' },
  loss: { smoothing: 0 },
  epochs: stressEpochs,
  lr: rising,
  mayDiverge: true,
} as const;

/** Ten epochs of a schedule of twenty, because the post inspects the networks while they are still training. */
const partly = (peak: number): Pick<Choice, 'epochs' | 'lr' | 'act' | 'loss'> => ({
  act: { kind: 'softplus', beta: 10, threshold: 2.5 },
  loss: { xentWeight: 1, klWeight: 0.5 },
  epochs: 10,
  lr: piecewiseLinear([0, 4, 20], [0, peak, 0]),
});

const stored = 'one run, stored in the notebook';

/** The trainings of post 7; the frozen networks that it inspects are copies of these and are not trained. */
export const batchNormExperiments: readonly Experiment[] = [
  {
    name: 'post7-stress-norm',
    title: 'the rate grows by a factor of 1.41 each epoch, with batch norm: how high can it be?',
    norm: 'before',
    ...stress,
    published: {
      hardware: 'V100',
      note: 'one run, training accuracies alone: highest at rates of 0.91 and 1.28 (85.3 %), 55.9 % at 29',
    },
  } as const,
  {
    name: 'post7-stress-no-norm',
    title: 'the same without batch norm',
    norm: 'none',
    ...stress,
    published: {
      hardware: 'V100',
      note: 'one run, training accuracies alone: highest at a rate of 0.113 (66 %), no finite loss from epoch 12 on',
    },
  } as const,
  {
    name: 'post7-norm',
    title: 'half a training with batch norm, to look at what the network computes',
    cell: 61,
    norm: 'before',
    ...partly(5),
    published: { hardware: 'V100', accPercent: 80.7, runs: 1, note: stored },
  } as const,
  {
    name: 'post7-no-norm',
    title: 'half a training without batch norm',
    cell: 61,
    norm: 'none',
    ...partly(0.2),
    published: { hardware: 'V100', accPercent: 83.9, runs: 1, note: stored },
  } as const,
  {
    name: 'post7-norm-after',
    title: 'half a training with batch norm after the activation',
    cell: 93,
    norm: 'after',
    ...partly(5),
    published: { hardware: 'V100', accPercent: 85.3, runs: 1, note: stored },
  } as const,
].map(experimentOf);
