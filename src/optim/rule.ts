import type * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';

/** Hyperparameters of one step, all float32 scalars and all fed: a change never causes a captured step to be recorded again. */
export interface Hyper {
  /** The learning rate for a loss that is **summed** over the batch: the schedule's value divided by the batch size. */
  readonly lr: tf.Tensor;
  /** This times the weight is added to the gradient; for a summed loss, the usual coefficient times the batch size. */
  readonly weightDecay: tf.Tensor;
  readonly momentum: tf.Tensor;
  /** 1 in a step in which Muon rescales kernels, else 0; other rules ignore it. */
  readonly rescale?: tf.Tensor;
}

/** One tensor after a step: its new value and velocity, both new tensors owned by the caller. */
export interface Moved {
  /** Of any shape: that of the updated tensor. */
  readonly weight: tf.Tensor;
  /** Of any shape: the same. */
  readonly velocity: tf.Tensor;
}

/** Updates one tensor, given its gradient; velocities start at zero. */
export type UpdateRule = (
  weight: tf.Tensor,
  gradient: tf.Tensor,
  velocity: tf.Tensor,
  hyper: Hyper,
) => Moved;

/**
 * Momentum SGD in Nesterov's form, as in the reference until September 2019, which produced the reference's stored outputs.
 *
 * d = g + wd w; v = mom v + d; w = w - lr (d + mom v). The whole velocity is multiplied by the current learning rate: if that
 * ends at 0, the last step does not change the weight.
 *
 * @see Sutskever et al., On the importance of initialization and momentum in deep learning (ICML 2013)
 */
export function nesterovA(
  weight: tf.Tensor,
  gradient: tf.Tensor,
  velocity: tf.Tensor,
  hyper: Hyper,
): Moved {
  const d = gradient.add(weight.mul(hyper.weightDecay));
  const v = velocity.mul(hyper.momentum).add(d);
  return { weight: weight.sub(d.add(v.mul(hyper.momentum)).mul(hyper.lr)), velocity: v };
}

/**
 * Momentum SGD in Nesterov's form with the learning rate inside the velocity, as in the reference now.
 *
 * d = -lr (g + wd w); v = mom v + d; w = w + d + mom v. Differs from {@link nesterovA} only while the learning rate changes.
 */
export function nesterovB(
  weight: tf.Tensor,
  gradient: tf.Tensor,
  velocity: tf.Tensor,
  hyper: Hyper,
): Moved {
  const d = gradient.add(weight.mul(hyper.weightDecay)).mul(hyper.lr).neg();
  const v = velocity.mul(hyper.momentum).add(d);
  return { weight: weight.add(d).add(v.mul(hyper.momentum)), velocity: v };
}

/**
 * LARS: scales the learning rate by the ratio of weight norm to gradient norm per output channel, then steps like
 * {@link nesterovB}.
 *
 * rate = lr |w| / (|g| + 0.01), norms over all axes but the last of a kernel `[kh,kw,cin,cout]`; the gradient is taken
 * before weight decay, which the rate multiplies too.
 *
 * @throws OptimError if a tensor is not of rank 4; give biases and matrices a group of their own
 * @see You et al., Large Batch Training of Convolutional Networks, arXiv:1708.03888 (2017), which takes one norm per
 *   layer; the reference implementation takes one per output channel, and so do we
 */
export function lars(
  weight: tf.Tensor,
  gradient: tf.Tensor,
  velocity: tf.Tensor,
  hyper: Hyper,
): Moved {
  if (weight.rank !== 4) {
    throw new OptimError(
      `lars: a tensor of shape [${weight.shape.join()}] has rank ${weight.rank}; lars takes kernels of rank 4. ` +
        'Put biases and matrices in a group with another rule.',
    );
  }
  const norm = (t: tf.Tensor): tf.Tensor => t.square().sum([0, 1, 2]).sqrt();
  const lr = norm(weight).div(norm(gradient).add(0.01)).mul(hyper.lr);
  return nesterovB(weight, gradient, velocity, { ...hyper, lr });
}
