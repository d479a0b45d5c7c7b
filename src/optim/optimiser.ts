import * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { lars, nesterovA, nesterovB } from './rule';
import type { Hyper, UpdateRule } from './rule';

/** The names of the update rules, as records carry them. */
export type RuleName = 'nesterov-a' | 'nesterov-b' | 'lars';

const rules: Readonly<Record<RuleName, UpdateRule>> = {
  'nesterov-a': nesterovA,
  'nesterov-b': nesterovB,
  lars,
};

/** Tensors that are moved in their own way: those whose path contains `includes`. */
export interface Group {
  /** A part of the path, as in `bias`; an empty string means all. */
  readonly includes: string;
  /** The rule for this group; the optimiser's own where absent. */
  readonly rule?: RuleName;
  /** The rate is multiplied by this. */
  readonly lrFactor: number;
  /** Weight decay is multiplied by this. */
  readonly weightDecayFactor: number;
}

/** How a network's tensors are moved, as data: a rule, and groups that depart from it. The first group that fits counts. */
export interface Optimiser {
  readonly rule: RuleName;
  readonly groups: readonly Group[];
}

/** The velocities that an optimiser starts with: zeros, by the path of the tensor that they belong to. */
export function initVelocity(
  parameters: Readonly<Record<string, HostTensor>>,
): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(parameters).map(([path, { shape }]) => [path, filled(shape, 0)]),
  );
}

/**
 * Moves every tensor by one step. Returns new tensors, by path; disposes nothing.
 *
 * @param gradients of the loss summed over the batch, before weight decay, by the same paths as `parameters`
 * @throws OptimError if a gradient or velocity is missing, or a rule cannot move a tensor; the message names its path
 */
export function updateParameters(
  optimiser: Optimiser,
  parameters: Readonly<Record<string, tf.Tensor>>,
  gradients: Readonly<Record<string, tf.Tensor>>,
  velocity: Readonly<Record<string, tf.Tensor>>,
  hyper: Hyper,
): {
  readonly parameters: Record<string, tf.Tensor>;
  readonly velocity: Record<string, tf.Tensor>;
} {
  const moved: Record<string, tf.Tensor> = {};
  const velocities: Record<string, tf.Tensor> = {};
  for (const [path, weight] of Object.entries(parameters)) {
    if (gradients[path] === undefined || velocity[path] === undefined) {
      throw new OptimError(
        `optim: "${path}" has no ${gradients[path] === undefined ? 'gradient' : 'velocity'}. ` +
          'Start the velocities from the parameters that are trained.',
      );
    }
    const group = optimiser.groups.find(({ includes }) => path.includes(includes));
    const rule = rules[group?.rule ?? optimiser.rule];
    try {
      const next = rule(weight, gradients[path], velocity[path], {
        lr: tf.mul(hyper.lr, group?.lrFactor ?? 1),
        weightDecay: tf.mul(hyper.weightDecay, group?.weightDecayFactor ?? 1),
        momentum: hyper.momentum,
      });
      moved[path] = next.weight;
      velocities[path] = next.velocity;
    } catch (cause) {
      if (!(cause instanceof OptimError)) throw cause;
      throw new OptimError(`"${path}": ${cause.message}`, { cause });
    }
  }
  return { parameters: moved, velocity: velocities };
}
