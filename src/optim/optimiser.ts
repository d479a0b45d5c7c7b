import * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { muon } from './muon';
import type { MuonOptions } from './muon';
import { lars, nesterovA, nesterovB } from './rule';
import type { Hyper, UpdateRule } from './rule';
import type { Schedule } from './schedule';

/** The names of the update rules in experiments. */
export type RuleName = 'nesterov-a' | 'nesterov-b' | 'lars' | 'muon';

/** A parameter group: the tensors whose path contains `includes`, with their own rule or hyperparameters. */
export interface Group {
  /** A substring of the path, as in `bias`; an empty string matches all. */
  readonly includes: string;
  /** The rule for this group; default: the optimiser's. */
  readonly rule?: RuleName;
  /** The learning rate is multiplied by this. */
  readonly lrFactor: number;
  /** Weight decay is multiplied by this. */
  readonly weightDecayFactor: number;
  /** The group's learning rate over epochs, before `lrFactor`; default: the optimiser's. */
  readonly lr?: Schedule;
  /** The group's weight decay, before `weightDecayFactor`; default: the optimiser's. */
  readonly weightDecay?: number;
  /** Default: the optimiser's. */
  readonly momentum?: number;
  /** The number of epochs after which the group is frozen, rounded up to steps; default: never frozen. */
  readonly epochs?: number;
  /** Required by rule `muon`. */
  readonly muon?: MuonOptions;
}

/** How a network's tensors are updated, as data: a rule, and groups that override it. The first matching group counts. */
export interface Optimiser {
  readonly rule: RuleName;
  readonly groups: readonly Group[];
}

/** The hyperparameters of one step: the optimiser's, and those of each group that overrides some. */
export interface GroupedHyper extends Hyper {
  /** By the group's index in {@link Optimiser.groups}. The group's factors are not applied yet. */
  readonly groups?: Readonly<Record<string, Hyper>>;
}

function ruleOf(name: RuleName, options: MuonOptions | undefined): UpdateRule {
  switch (name) {
    case 'nesterov-a':
      return nesterovA;
    case 'nesterov-b':
      return nesterovB;
    case 'lars':
      return lars;
    case 'muon':
      if (options === undefined) {
        throw new OptimError(
          'muon: the group has no options. Set its "muon" to iterations and coefficients.',
        );
      }
      return (weight, gradient, velocity, hyper) =>
        muon(weight, gradient, velocity, hyper, options);
    default:
      return name satisfies never;
  }
}

/** The initial velocities of an optimiser: zeros, by the path of their tensor. */
export function initVelocity(
  parameters: Readonly<Record<string, HostTensor>>,
): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(parameters).map(([path, { shape }]) => [path, filled(shape, 0)]),
  );
}

/** The index of the group that a tensor belongs to; undefined if none matches. */
export function groupOf({ groups }: Optimiser, path: string): number | undefined {
  const place = groups.findIndex(({ includes }) => path.includes(includes));
  return place === -1 ? undefined : place;
}

/**
 * Updates every tensor by one step. Returns new tensors, by path; disposes nothing.
 *
 * @param gradients of the loss summed over the batch, before weight decay, by the same paths as `parameters`
 * @throws OptimError if a gradient or velocity is missing, or a rule cannot update a tensor; the message names its path
 */
export function updateParameters(
  optimiser: Optimiser,
  parameters: Readonly<Record<string, tf.Tensor>>,
  gradients: Readonly<Record<string, tf.Tensor>>,
  velocity: Readonly<Record<string, tf.Tensor>>,
  hyper: GroupedHyper,
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
          'Pass a gradient and a velocity for every trained parameter.',
      );
    }
    const place = groupOf(optimiser, path);
    const group = place === undefined ? undefined : optimiser.groups[place];
    const own = (place === undefined ? undefined : hyper.groups?.[place]) ?? hyper;
    try {
      const next = ruleOf(group?.rule ?? optimiser.rule, group?.muon)(
        weight,
        gradients[path],
        velocity[path],
        {
          ...own,
          lr: tf.mul(own.lr, group?.lrFactor ?? 1),
          weightDecay: tf.mul(own.weightDecay, group?.weightDecayFactor ?? 1),
        },
      );
      moved[path] = next.weight;
      velocities[path] = next.velocity;
    } catch (cause) {
      if (!(cause instanceof OptimError)) throw cause;
      throw new OptimError(`"${path}": ${cause.message}`, { cause });
    }
  }
  return { parameters: moved, velocity: velocities };
}
