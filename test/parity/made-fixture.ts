import { createRng } from '../../src/base/rng';
import type { Fixture, NetworkSpec } from './fixture';
import { plain, trainPlainly } from './plain-loops';
import type { Plain, PlainBatch } from './plain-loops';

/**
 * A network with what no fixture of the reference has: an odd number of steps per epoch with an average that is updated every
 * second step, a convolution with bias, softplus, ShiftScaleReLU, and a linear layer over more than one pixel.
 */
export const madeSpec: NetworkSpec = {
  batch_size: 4,
  schedule: {
    knots: [0, 1, 3],
    vals: [0, 0.8, 0.2],
    unit: 'epoch',
    steps_per_epoch: 3,
    divided_by_batch_size: true,
    step_counts_from: 1,
  },
  lr_per_step: [0.8 / 3, 1.6 / 3, 0.8, 0.7, 0.6, 0.5, 0.4].map((lr) => lr / 4),
  weight_decay: 0.002,
  momentum: 0.9,
  optimizer: 'SGD',
  bias_group_factor: 4,
  ema: { momentum: 0.9, update_freq: 2 },
  graph: [
    { path: 'input', type: 'Input', inputs: [], repr: 'None' },
    {
      path: 'prep/conv',
      type: 'Conv2d',
      inputs: ['input'],
      repr: 'Conv2d(3, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=True)',
    },
    {
      path: 'prep/act',
      type: 'Softplus',
      inputs: ['prep/conv'],
      repr: 'Softplus(beta=10.0, threshold=2.5)',
    },
    {
      path: 'layer1/conv',
      type: 'Conv2d',
      inputs: ['prep/act'],
      repr: 'Conv2d(6, 6, kernel_size=(1, 1), stride=(1, 1), bias=False)',
    },
    {
      path: 'layer1/norm',
      type: 'GhostBatchNorm',
      inputs: ['layer1/conv'],
      repr: 'GhostBatchNorm(6, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)',
      params: { splits: 2 },
    },
    {
      path: 'layer1/act',
      type: 'ShiftScaleReLU',
      inputs: ['layer1/norm'],
      repr: 'ShiftScaleReLU()',
    },
    {
      path: 'pool',
      type: 'AvgPool2d',
      inputs: ['layer1/act'],
      repr: 'AvgPool2d(kernel_size=2, stride=2, padding=0)',
    },
    { path: 'flatten', type: 'Flatten', inputs: ['pool'], repr: 'Flatten()' },
    {
      path: 'linear',
      type: 'Linear',
      inputs: ['flatten'],
      repr: 'Linear(in_features=24, out_features=5, bias=True)',
    },
    {
      path: 'logits',
      type: 'Mul',
      inputs: ['linear'],
      repr: 'Mul()',
      params: { weight: 0.5 },
    },
  ],
  loss_graph: [
    { path: 'logprobs', type: 'LogSoftmax', inputs: ['logits'], repr: 'LogSoftmax(dim=1)' },
    { path: 'KL', type: 'KLLoss', inputs: ['logprobs'], repr: 'KLLoss()' },
    {
      path: 'xent',
      type: 'CrossEntropyLoss',
      inputs: ['logprobs', 'target'],
      repr: 'CrossEntropyLoss()',
    },
    {
      path: 'loss',
      type: 'AddWeighted',
      inputs: ['xent', 'KL'],
      repr: 'AddWeighted(wx=0.9, wy=0.1)',
    },
    { path: 'acc', type: 'Correct', inputs: ['logits', 'target'], repr: 'Correct()' },
  ],
};

/** {@link madeSpec}, trained for two epochs and a step in float64 on noise images. */
export function madeFixture(): Extract<Fixture, { readonly kind: 'network' }> {
  const rng = createRng(1, 'made');
  // Values that float32 holds exactly, as in a file.
  const noise = (shape: readonly number[], low: number, high: number): Plain =>
    plain(shape, () => Math.fround(low + (high - low) * rng.uniform()));
  const batch = (): PlainBatch => ({
    input: noise([4, 8, 8, 3], -2, 2),
    target: Array.from({ length: 4 }, () => rng.integer(5)),
  });
  const init = new Map([
    ['prep/conv/weight', noise([3, 3, 3, 6], -0.3, 0.3)],
    ['prep/conv/bias', noise([6], -0.3, 0.3)],
    ['layer1/conv/weight', noise([1, 1, 6, 6], -0.6, 0.6)],
    ['layer1/norm/weight', noise([6], 0.5, 1.5)],
    ['layer1/norm/bias', noise([6], -0.5, 0.5)],
    ['layer1/norm/running_mean', plain([6])],
    ['layer1/norm/running_var', plain([6], () => 1)],
    ['linear/weight', noise([24, 5], -0.4, 0.4)],
    ['linear/bias', noise([5], -0.4, 0.4)],
  ]);
  const batches = madeSpec.lr_per_step.map(batch);
  const tensors = trainPlainly(madeSpec, init, batches, batch());
  return { kind: 'network', name: 'made', spec: madeSpec, tensors };
}
