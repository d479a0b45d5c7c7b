import * as tf from '@tensorflow/tfjs-core';
import { plainActivation } from '../engine/raw/bias-activation';
import { hasOwnKernels } from '../engine/raw/own-kernels';
import type { OwnActivation } from '../engine/raw/own-operations';
import { relu as fusedRelu } from '../engine/raw/relu';

/** An elementwise activation. */
export type ActivationLayer =
  | { readonly kind: 'relu' }
  | { readonly kind: 'celu'; readonly alpha: number }
  | { readonly kind: 'softplus'; readonly beta: number; readonly threshold: number }
  | { readonly kind: 'shift-scale-relu' }
  | { readonly kind: 'gelu' }
  | { readonly kind: 'silu' };

/** The kinds of {@link ActivationLayer}. */
export const activationKinds: readonly ActivationLayer['kind'][] = [
  'relu',
  'celu',
  'softplus',
  'shift-scale-relu',
  'gelu',
  'silu',
];

/** max(0, x) */
export function relu(): ActivationLayer {
  return { kind: 'relu' };
}

/**
 * max(0, x) + min(0, alpha (exp(x / alpha) - 1)): a ReLU with a smooth corner.
 *
 * @see Barron, Continuously Differentiable Exponential Linear Units, arXiv:1704.07483 (2017)
 */
export function celu(alpha: number): ActivationLayer {
  return { kind: 'celu', alpha };
}

/** log(1 + exp(beta x)) / beta, and x itself where beta x > threshold. */
export function softplus({
  beta = 1,
  threshold = 20,
}: { readonly beta?: number; readonly threshold?: number } = {}): ActivationLayer {
  return { kind: 'softplus', beta, threshold };
}

/**
 * (relu(x) - sqrt(1 / pi)) / sqrt(1 - 1 / pi): a ReLU whose output has mean 0 and variance 1 for Gaussian inputs of
 * mean 0 and variance 2.
 */
export function shiftScaleRelu(): ActivationLayer {
  return { kind: 'shift-scale-relu' };
}

/**
 * x Phi(x), where Phi is the standard normal CDF: x (1 + erf(x / sqrt 2)) / 2. Exact, without the tanh approximation, as
 * PyTorch's `GELU` computes it by default.
 *
 * @see Hendrycks and Gimpel, Gaussian Error Linear Units, arXiv:1606.08415 (2016)
 */
export function gelu(): ActivationLayer {
  return { kind: 'gelu' };
}

/**
 * x / (1 + exp(-x)), also known as swish.
 *
 * @see Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
 *   Reinforcement Learning, arXiv:1702.03118 (2017)
 */
export function silu(): ActivationLayer {
  return { kind: 'silu' };
}

/** The activation in the form that our own kernels take; undefined if they do not support it. */
export function ownActivation(layer: ActivationLayer): OwnActivation | undefined {
  return layer.kind === 'softplus' || layer.kind === 'shift-scale-relu' ? undefined : layer;
}

/**
 * Applies the activation to every element of x, of any shape. In a recording GELU, SiLU and CELU are one operation each if
 * the processor supports our own kernels; otherwise they are composed of TF.js operations.
 */
export function activationForward(layer: ActivationLayer, x: tf.Tensor): tf.Tensor {
  const own = ownActivation(layer);
  if (own !== undefined && own.kind !== 'relu' && hasOwnKernels()) return plainActivation(x, own);
  switch (layer.kind) {
    case 'relu':
      return fusedRelu(x);
    case 'celu':
      return tf.elu(x.div(layer.alpha)).mul(layer.alpha);
    case 'softplus': {
      const { beta, threshold } = layer;
      const scaled = x.mul(beta);
      // Selects by multiplication: TF.js has no gradient for the comparison that `where` would need.
      const isLinear = tf.step(scaled.sub(threshold));
      return tf.softplus(scaled).div(beta).mul(tf.scalar(1).sub(isLinear)).add(x.mul(isLinear));
    }
    case 'shift-scale-relu':
      return fusedRelu(x)
        .sub(Math.sqrt(1 / Math.PI))
        .div(Math.sqrt(1 - 1 / Math.PI));
    case 'gelu':
      return tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(x.mul(0.5));
    case 'silu':
      return x.mul(tf.sigmoid(x));
    default:
      return layer satisfies never;
  }
}
