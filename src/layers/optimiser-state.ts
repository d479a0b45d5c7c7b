import * as tf from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { filled } from '../base/host-tensor';
import type { OptimizerInternals, Weight } from './internals';
import type { ModelState, Numbered } from './steps';
import { updateRule } from './update-rules';
import type { Settings, UpdateRule } from './update-rules';

/** A tensor that a TF.js optimiser keeps for a weight. */
interface Entry {
  readonly originalName: string;
  readonly variable: tf.Variable;
}

type Members = Record<string, Entry[] | tf.Variable | tf.Tensor | undefined>;

/**
 * The learning rate that TF.js would use now. SGD and momentum multiply by a tensor that `setLearningRate` replaces, the
 * others by their member `learningRate`.
 */
export function learningRateOf(optimizer: OptimizerInternals): number {
  const { c } = optimizer as unknown as { readonly c?: tf.Scalar };
  return c === undefined ? optimizer.learningRate : -c.dataSync()[0];
}

/** The methods of an optimiser that a recording replaces. */
const replacedMethods = ['minimize', 'computeGradients', 'applyGradients'];

/**
 * The update rule of a TF.js optimiser with its current settings.
 *
 * @throws OptimError for an optimiser that is not one of `tf.train`, or one of them extended or changed
 */
export function ruleOf(optimizer: OptimizerInternals): UpdateRule {
  const changed = replacedMethods.find((name) => Object.hasOwn(optimizer, name));
  // Each class of tf.train has a name of its own; a class that extends one inherits it.
  if (changed !== undefined || !Object.hasOwn(optimizer.constructor, 'className')) {
    const what =
      changed === undefined ? 'a class that extends it' : `one with its own ${changed}()`;
    throw new OptimError(
      `accelerate: the optimiser is not TF.js's "${optimizer.getClassName()}" but ${what}, which a recording would not call. ` +
        'Compile the model with one of tf.train, or pass { fallback: true } to train it eagerly.',
    );
  }
  return updateRule(optimizer.getClassName(), settingsOf(optimizer));
}

/** The settings that are constants of a recording. */
export function settingsOf(optimizer: OptimizerInternals): Settings {
  const { learningRate: _fed, ...settings } = optimizer.getConfig();
  // Momentum multiplies by a tensor that `setMomentum` does not update.
  const { m } = optimizer as unknown as { readonly m?: tf.Scalar };
  return { ...settings, ...(m === undefined ? {} : { momentum: m.dataSync()[0] }) };
}

/** The current state of an optimiser for the weights that it trains, or its initial state. */
export function readOptimiser(
  optimizer: OptimizerInternals,
  rule: UpdateRule,
  trained: readonly (readonly [index: number, weight: Weight])[],
): Pick<ModelState, 'slots' | 'counters'> {
  const members = optimizer as unknown as Members;
  const slots = rule.slots.map(({ member, initial }): [string, Numbered<HostTensor>] => {
    const entries = members[member] as Entry[];
    const values = trained.map(([index, { shape }], place): [string, HostTensor] => {
      const { variable } = entries[place] ?? {};
      const host =
        variable === undefined
          ? filled(shape, initial)
          : { shape, data: variable.dataSync<'float32'>() };
      return [String(index), host];
    });
    return [member, Object.fromEntries(values)];
  });
  const counters = rule.counters.map(({ member }): [string, HostTensor] => [
    member,
    { shape: [], data: (members[member] as tf.Variable).dataSync<'float32'>() },
  ]);
  return { slots: Object.fromEntries(slots), counters: Object.fromEntries(counters) };
}

/** Writes a session's state to an optimiser, as if the optimiser had taken `steps` more steps itself. */
export function writeOptimiser(
  optimizer: OptimizerInternals,
  rule: UpdateRule,
  trained: readonly (readonly [index: number, weight: Weight])[],
  { slots, counters }: Pick<ModelState, 'slots' | 'counters'>,
  steps: number,
): void {
  const members = optimizer as unknown as Members;
  for (const { member, suffix } of rule.slots) {
    const entries = members[member] as Entry[];
    for (const [place, [index, weight]] of trained.entries()) {
      const value = toTensor(slots[member][index]);
      const entry = entries[place];
      if (entry === undefined) {
        entries[place] = {
          originalName: `${weight.name}/${suffix}`,
          variable: tf.variable(value, false),
        };
      } else {
        entry.variable.assign(value);
      }
      value.dispose();
    }
  }
  for (const { member } of rule.counters) {
    const value = toTensor(counters[member]);
    (members[member] as tf.Variable).assign(value);
    value.dispose();
  }
  Object.assign(optimizer, { iterations_: optimizer.iterations + steps });
}

/** A TF.js tensor that holds these numbers without copying them. */
export function toTensor({ data, shape }: HostTensor): tf.Tensor {
  const dtype =
    data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'bool';
  return tf.tensor(data, [...shape], dtype);
}
