import * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { muon } from './muon';
import type { MuonOptions } from './muon';
import { lars, nesterovA, nesterovB } from './rule';
import type { Hyper, UpdateRule } from './rule';
import type { Schedule } from './schedule';

/** The names of the update rules, as experiments carry them. */
export type RuleName = 'nesterov-a' | 'nesterov-b' | 'lars' | 'muon';

/** Tensors that are moved in their own way: those whose path contains `includes`. */
export interface Group {
  /** A part of the path, as in `bias`; an empty string means all. */
  readonly includes: string;
  /** The rule for this group; default: the optimiser's own. */
  readonly rule?: RuleName;
  /** The rate is multiplied by this. */
  readonly lrFactor: number;
  /** Weight decay is multiplied by this. */
  readonly weightDecayFactor: number;
  /** A schedule of the group's own over epochs, before `lrFactor`; default: the optimiser's. */
  readonly lr?: Schedule;
  /** Weight decay of the group's own, before `weightDecayFactor`; default: the optimiser's. */
  readonly weightDecay?: number;
  /** Default: the optimiser's. */
  readonly momentum?: number;
  /** The group learns in the first so many epochs only, rounded up to steps; default: in all of them. */
  readonly epochs?: number;
  /** Required by rule `muon`. */
  readonly muon?: MuonOptions;
}

/** How a network's tensors are moved, as data: a rule, and groups that depart from it. The first group that fits counts. */
export interface Optimiser {
  readonly rule: RuleName;
  readonly groups: readonly Group[];
}

/** The hyperparameters of one step: the optimiser's, and those of each group that has some of its own. */
export interface GroupedHyper extends Hyper {
  /** By the group's place in {@link Optimiser.groups}, from 0. Factors of the group are not applied yet. */
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
          'muon: the group has no options. Give it "muon" with iterations and coefficients.',
        );
      }
      return (weight, gradient, velocity, hyper) =>
        muon(weight, gradient, velocity, hyper, options);
    default:
      return name satisfies never;
  }
}

/** The velocities that an optimiser starts with: zeros, by the path of the tensor that they belong to. */
export function initVelocity(
  parameters: Readonly<Record<string, HostTensor>>,
): Record<string, HostTensor> {
  return Object.fromEntries(
    Object.entries(parameters).map(([path, { shape }]) => [path, filled(shape, 0)]),
  );
}

/** The place of the group that a tensor belongs to, from 0; undefined if none fits. */
export function groupOf({ groups }: Optimiser, path: string): number | undefined {
  const place = groups.findIndex(({ includes }) => path.includes(includes));
  return place === -1 ? undefined : place;
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
          'Start the velocities from the parameters that are trained.',
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
