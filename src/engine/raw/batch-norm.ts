import type * as tf from '@tensorflow/tfjs-core';
import { activationAttributes } from './own-kernels';
import type { OwnActivation } from './own-operations';
import { runKernel } from './register';

/** A batch normalised by its own statistics. The caller owns all three tensors. */
export interface NormalisedBatch {
  /** `[N,H,W,C]` */
  readonly output: tf.Tensor4D;
  /** `[C]`, over examples and pixels. No gradient flows through it. */
  readonly mean: tf.Tensor1D;
  /** `[C]`, unbiased (divided by N*H*W - 1). No gradient flows through it. */
  readonly variance: tf.Tensor1D;
}

/**
 * Batch norm in training mode with TensorFlow's fused kernel and its fused gradient.
 *
 * output = (x - mean) / sqrt(variance + epsilon) * scale + bias with the biased variance, per channel of x `[N,H,W,C]`;
 * scale and bias are `[C]`.
 */
export function batchNormTraining(
  x: tf.Tensor4D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number,
): NormalisedBatch {
  const [output, mean, variance, ...reserved] = runKernel(
    'FusedBatchNormV3',
    { x, scale, bias },
    { epsilon },
  );
  for (const tensor of reserved) tensor.dispose();
  return {
    output: output as tf.Tensor4D,
    mean: mean as tf.Tensor1D,
    variance: variance as tf.Tensor1D,
  };
}

/**
 * Batch norm in training mode followed by an activation, in two passes over x; the gradient takes two as well. Requires
 * `hasOwnKernels()`.
 *
 * Like {@link batchNormTraining}, with output = activation((x - mean) / sqrt(variance + epsilon) * scale + bias). x is the
 * only activation kept for the gradient. Statistics are exact for any mean: differences are squared, not values.
 */
export function normActivationTraining(
  x: tf.Tensor4D,
  scale: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number,
  activation: OwnActivation,
): NormalisedBatch {
  const [output, mean, variance, reciprocal] = runKernel(
    'Cifar10FastBatchNorm',
    { x, scale, bias },
    { epsilon, ...activationAttributes(activation) },
  );
  reciprocal.dispose();
  return {
    output: output as tf.Tensor4D,
    mean: mean as tf.Tensor1D,
    variance: variance as tf.Tensor1D,
  };
}

/**
 * Batch norm with given statistics followed by an activation, in one pass over x `[N,H,W,C]`. Its gradient is composed of
 * several operations. Requires `hasOwnKernels()`.
 */
export function normActivationInference(
  x: tf.Tensor4D,
  statistics: Readonly<Record<'scale' | 'bias' | 'mean' | 'variance', tf.Tensor1D>>,
  epsilon: number,
  activation: OwnActivation,
): tf.Tensor4D {
  return runKernel(
    'Cifar10FastBatchNormInference',
    { x, ...statistics },
    { epsilon, ...activationAttributes(activation) },
  )[0] as tf.Tensor4D;
}
