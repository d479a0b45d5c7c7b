import type * as tf from '@tensorflow/tfjs-core';
import { runKernel } from './register';

/** A batch, normalised by its own statistics. All three tensors are owned by the caller. */
export interface NormalisedBatch {
  /** `[N,H,W,C]` */
  readonly output: tf.Tensor4D;
  /** `[C]`, over examples and pixels. No gradient flows through it. */
  readonly mean: tf.Tensor1D;
  /** `[C]`, unbiased (divided by N*H*W - 1). No gradient flows through it. */
  readonly variance: tf.Tensor1D;
}

/**
 * Batch norm in training mode as TensorFlow's one fused kernel, with its fused gradient.
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
