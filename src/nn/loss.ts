import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import type { Net } from '../graph/spec';
import { addWeighted } from './combine';
import type { CombineLayer } from './combine';

/** A layer of a loss: one number for each example. */
export type LossLayer =
  | { readonly kind: 'log-softmax' }
  | { readonly kind: 'cross-entropy' }
  | { readonly kind: 'nll' }
  | { readonly kind: 'kl-uniform' }
  | { readonly kind: 'correct' };

/** log softmax over the classes: logits `[N,classes]` to log probabilities of the same shape */
export function logSoftmax(): LossLayer {
  return { kind: 'log-softmax' };
}

/** -log softmax(logits)[target]: `[N,classes]` and int32 `[N]` to `[N]` */
export function crossEntropy(): LossLayer {
  return { kind: 'cross-entropy' };
}

/** -logprobs[target]: log probabilities `[N,classes]` and int32 `[N]` to `[N]` */
export function nll(): LossLayer {
  return { kind: 'nll' };
}

/** Minus the mean of the log probabilities over the classes, `[N,classes]` to `[N]`: cross entropy with a uniform target. */
export function klUniform(): LossLayer {
  return { kind: 'kl-uniform' };
}

/** 1 where the largest logit is the target's, else 0: `[N,classes]` and int32 `[N]` to `[N]` */
export function correct(): LossLayer {
  return { kind: 'correct' };
}

/** Cross entropy and accuracy as a network: reads `logits` and `target`, returns `loss` and `acc`, one number per example. */
export function crossEntropyLoss(): Net<LossLayer> {
  return {
    logits: [null, []],
    target: [null, []],
    loss: [crossEntropy(), ['logits', 'target']],
    acc: [correct(), ['logits', 'target']],
  };
}

/**
 * Label smoothing: loss = (1 - alpha) cross entropy + alpha KL, where KL is the cross entropy with a uniform target.
 *
 * @see Szegedy et al., Rethinking the Inception Architecture, arXiv:1512.00567 (2015)
 */
export function labelSmoothingLoss(alpha: number): Net<LossLayer | CombineLayer> {
  return smoothedLoss(1 - alpha, alpha);
}

/**
 * loss = xentWeight cross entropy + klWeight KL, where KL is the cross entropy with a uniform target. The weights of
 * {@link labelSmoothingLoss} sum to 1. Inputs and outputs are those of {@link crossEntropyLoss}.
 */
export function smoothedLoss(xentWeight: number, klWeight: number): Net<LossLayer | CombineLayer> {
  return {
    logits: [null, []],
    target: [null, []],
    logprobs: [logSoftmax(), ['logits']],
    KL: [klUniform(), ['logprobs']],
    xent: [nll(), ['logprobs', 'target']],
    loss: [addWeighted(xentWeight, klWeight), ['xent', 'KL']],
    acc: [correct(), ['logits', 'target']],
  };
}

/** The layer's value for scores `[N,classes]` and, if it needs them, targets int32 `[N]`. */
export function lossForward(layer: LossLayer, inputs: readonly tf.Tensor[]): tf.Tensor {
  const [scores, target] = inputs as [tf.Tensor2D, tf.Tensor1D | undefined];
  const wanted = (): tf.Tensor1D => {
    if (target === undefined || target.shape[0] !== scores.shape[0]) {
      throw new LayerError(
        `${layer.kind}: got scores [${scores.shape.join()}] and ` +
          `${target === undefined ? 'no targets' : `targets [${target.shape.join()}]`}; expected one target per example. ` +
          'Name both inputs: [layer, ["logits", "target"]].',
      );
    }
    return target;
  };
  const pick = (logprobs: tf.Tensor): tf.Tensor =>
    tf.oneHot(wanted(), scores.shape[1]).mul(logprobs).sum(1).neg();
  switch (layer.kind) {
    case 'log-softmax':
      return tf.logSoftmax(scores);
    case 'cross-entropy':
      return pick(tf.logSoftmax(scores));
    case 'nll':
      return pick(scores);
    case 'kl-uniform':
      return scores.mean(1).neg();
    case 'correct':
      return scores.argMax(1).equal(wanted()).cast('float32');
    default:
      return layer satisfies never;
  }
}
