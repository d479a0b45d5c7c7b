import * as tf from '@tensorflow/tfjs-core';
import { activationAttributes } from './own-kernels';
import type { OwnActivation } from './own-operations';
import { runKernel } from './register';

/**
 * activation(x + bias) in one pass; each gradient takes one pass as well. x is `[...,C]`, bias `[C]`. Requires
 * `hasOwnKernels()`.
 */
export function biasActivation<T extends tf.Tensor>(
  x: T,
  bias: tf.Tensor1D,
  activation: OwnActivation,
): T {
  return runKernel('Cifar10FastActivation', { x, bias }, activationAttributes(activation))[0] as T;
}

/** The activation of x `[...,C]` in one pass. Requires `hasOwnKernels()`. */
export function plainActivation(x: tf.Tensor, activation: OwnActivation): tf.Tensor {
  return biasActivation(x, tf.zeros<tf.Rank.R1>([x.shape.at(-1) ?? 1]), activation);
}
