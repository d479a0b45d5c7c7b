import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import { filled } from '../base/host-tensor';
import {
  batchNormTraining,
  normActivationInference,
  normActivationTraining,
} from '../engine/raw/batch-norm';
import { hasOwnKernels } from '../engine/raw/own-kernels';
import { activationForward, ownActivation } from './activation';
import type { ActivationLayer } from './activation';
import type { Forward, Parameter, Parameters } from './parameter';

/** Batch norm over `[N,H,W,channels]` or, with `splits` above 1, ghost batch norm. */
export interface BatchNormLayer {
  readonly kind: 'batch-norm' | 'ghost-batch-norm';
  readonly channels: number;
  /** Number of parts of the batch that are normalised separately: part s holds the examples with index modulo `splits` = s. */
  readonly splits: number;
  readonly epsilon: number;
  /** Weight of the new batch in the running statistics: running = (1 - momentum) running + momentum batch. */
  readonly momentum: number;
  /** Initial value of the scale, or `uniform` for U(0, 1), PyTorch's default until 2018. */
  readonly scaleInit: number | 'uniform';
  readonly isScaleFrozen: boolean;
  readonly isBiasFrozen: boolean;
  /** Activation applied to the result; `fuse` moves the activation that follows a norm here. */
  readonly activation?: ActivationLayer;
}

/** Options of {@link batchNorm} and {@link ghostBatchNorm}. */
export type BatchNormOptions = Partial<
  Omit<BatchNormLayer, 'kind' | 'channels' | 'splits' | 'activation'>
>;

/**
 * Batch norm: normalises each channel to mean 0 and variance 1 over examples and pixels, then applies a learnt scale and
 * bias. Evaluation uses the running statistics instead of those of the batch.
 *
 * @see Ioffe and Szegedy, Batch Normalization, arXiv:1502.03167 (2015)
 */
export function batchNorm(channels: number, options: BatchNormOptions = {}): BatchNormLayer {
  return batchNormLayer('batch-norm', channels, 1, options);
}

/**
 * Ghost batch norm: splits the batch into `splits` interleaved parts and normalises each with its own statistics. The
 * running statistics follow the mean over the parts.
 *
 * @see Hoffer et al., Train longer, generalize better, arXiv:1705.08741 (2017), which takes consecutive parts; the
 *   reference implementation interleaves them, and so do we.
 */
export function ghostBatchNorm(
  channels: number,
  splits: number,
  options: BatchNormOptions = {},
): BatchNormLayer {
  return batchNormLayer('ghost-batch-norm', channels, splits, options);
}

function batchNormLayer(
  kind: BatchNormLayer['kind'],
  channels: number,
  splits: number,
  {
    epsilon = 1e-5,
    momentum = 0.1,
    scaleInit = 1,
    isScaleFrozen = false,
    isBiasFrozen = false,
  }: BatchNormOptions,
): BatchNormLayer {
  return { kind, channels, splits, epsilon, momentum, scaleInit, isScaleFrozen, isBiasFrozen };
}

/** Scale (`weight`), `bias`, and the running statistics, all `[channels]`. */
export function batchNormParameters(layer: BatchNormLayer): Parameter[] {
  const { scaleInit } = layer;
  const shape = [layer.channels];
  return [
    {
      name: 'weight',
      shape,
      role: layer.isScaleFrozen ? 'frozen' : 'trainable',
      init: (rng) => {
        if (scaleInit !== 'uniform') return filled(shape, scaleInit);
        const data = new Float32Array(layer.channels);
        rng.fillUniform(data, 0, 1);
        return { shape, data };
      },
    },
    {
      name: 'bias',
      shape,
      role: layer.isBiasFrozen ? 'frozen' : 'trainable',
      init: () => filled(shape, 0),
    },
    { name: 'running_mean', shape, role: 'running', init: () => filled(shape, 0) },
    { name: 'running_var', shape, role: 'running', init: () => filled(shape, 1) },
  ];
}

/**
 * The normalised batch and, in training, the updated running statistics (with the unbiased variance).
 *
 * @throws LayerError if the input has another number of channels, or the batch size is not a multiple of `splits`
 */
export function batchNormForward(
  layer: BatchNormLayer,
  x: tf.Tensor,
  parameters: Parameters,
  isTraining: boolean,
): Forward {
  const { channels, splits, epsilon, momentum, activation } = layer;
  if (x.rank !== 4 || x.shape[3] !== channels) {
    throw new LayerError(
      `${layer.kind}: the input has shape [${x.shape.join()}]; expected [N,H,W,${channels}]. ` +
        'Set channels to the output channels of the preceding node.',
    );
  }
  const [scale, bias, runningMean, runningVar] = [
    'weight',
    'bias',
    'running_mean',
    'running_var',
  ].map((name) => parameters[name] as tf.Tensor1D);
  const own = activation === undefined ? { kind: 'none' as const } : ownActivation(activation);
  const isOwn = own !== undefined && hasOwnKernels();
  const activated = (t: tf.Tensor4D): tf.Tensor =>
    activation === undefined ? t : activationForward(activation, t);
  if (!isTraining) {
    const images = x as tf.Tensor4D;
    if (isOwn) {
      const statistics = { scale, bias, mean: runningMean, variance: runningVar };
      return { output: normActivationInference(images, statistics, epsilon, own) };
    }
    return {
      output: activated(tf.batchNorm(images, runningMean, runningVar, bias, scale, epsilon)),
    };
  }

  const [n, h, w] = x.shape;
  if (n % splits !== 0) {
    throw new LayerError(
      `${layer.kind}: a batch of ${n} cannot be divided into ${splits} splits. ` +
        `Use a multiple of ${splits} as the batch size, and set dropLast.`,
    );
  }
  // [N,H,W,C] -> [N/S,H,W,S*C]: each split becomes channels of its own.
  const apart =
    splits === 1
      ? (x as tf.Tensor4D)
      : x
          .reshape([n / splits, splits, h, w, channels])
          .transpose([0, 2, 3, 1, 4])
          .reshape<tf.Tensor4D>([n / splits, h, w, splits * channels]);
  const scales = splits === 1 ? scale : scale.tile<tf.Tensor1D>([splits]);
  const biases = splits === 1 ? bias : bias.tile<tf.Tensor1D>([splits]);
  const normalised = isOwn
    ? normActivationTraining(apart, scales, biases, epsilon, own)
    : batchNormTraining(apart, scales, biases, epsilon);
  const { mean, variance } = normalised;
  const output = isOwn ? normalised.output : activated(normalised.output);
  const overSplits = (t: tf.Tensor1D): tf.Tensor =>
    splits === 1 ? t : t.reshape([splits, channels]).mean(0);
  const follow = (old: tf.Tensor, batch: tf.Tensor): tf.Tensor =>
    old.mul(1 - momentum).add(batch.mul(momentum));
  return {
    output:
      splits === 1
        ? output
        : output
            .reshape([n / splits, h, w, splits, channels])
            .transpose([0, 3, 1, 2, 4])
            .reshape([n, h, w, channels]),
    running: {
      running_mean: follow(runningMean, overSplits(mean)),
      running_var: follow(runningVar, overSplits(variance)),
    },
  };
}
