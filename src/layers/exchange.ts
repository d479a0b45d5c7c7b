import type * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../base/host-tensor';
import type { Session } from '../engine/session';
import type { OptimizerInternals, Weight } from './internals';
import { readOptimiser, toTensor, writeOptimiser } from './optimiser-state';
import type { ModelState } from './steps';
import type { UpdateRule } from './update-rules';

/** A TF.js optimiser, its update rule, and the weights that it trains with their indices in the model. */
export interface TrainedBy {
  readonly optimizer: OptimizerInternals;
  readonly rule: UpdateRule;
  readonly trained: readonly (readonly [index: number, weight: Weight])[];
}

/** Keeps a model and its copy on the device in sync. */
export interface Exchange {
  /** Copies to the device what was assigned to the model's weights or its optimiser since the last call. */
  push(): void;
  /** Copies the current weights to the model. */
  pullWeights(): Promise<void>;
  /** Copies the current optimiser state to the model's optimiser, and adds `steps` to its iterations. */
  pullOptimiser(steps: number): Promise<void>;
}

/** The optimiser state that a session holds; empty for a model that is not compiled. */
export function optimiserState(
  trainedBy: TrainedBy | undefined,
): Pick<ModelState, 'slots' | 'counters'> {
  return trainedBy === undefined
    ? { slots: {}, counters: {} }
    : readOptimiser(trainedBy.optimizer, trainedBy.rule, trainedBy.trained);
}

/** A weight's numbers, in an array that TF.js may share. */
export function hostOf({ val }: Weight): HostTensor {
  return { shape: val.shape, data: val.dataSync() as Float32Array };
}

/** Expects a model and a session that are in sync. A newly assigned value shows by its new `dataId`. */
export function createExchange(
  session: Session<ModelState>,
  weights: readonly Weight[],
  trainedBy: TrainedBy | undefined,
): Exchange {
  let seenWeights = weights.map(dataIdOf);
  let seenOptimiser = optimiserIds(trainedBy);
  return {
    push() {
      const ids = weights.map(dataIdOf);
      const changed = weights.flatMap((weight, index) =>
        ids[index] === seenWeights[index] ? [] : [[String(index), hostOf(weight)] as const],
      );
      if (changed.length > 0) session.write({ weights: Object.fromEntries(changed) });
      seenWeights = ids;
      const optimiser = optimiserIds(trainedBy);
      if (optimiser.some((id, index) => id !== seenOptimiser[index])) {
        session.write(optimiserState(trainedBy));
      }
      seenOptimiser = optimiser;
    },
    async pullWeights() {
      const { weights: values } = await session.read('weights');
      for (const [index, weight] of weights.entries()) {
        const value = toTensor(values[index]);
        // Bypasses the constraint, as TF.js's optimisers do.
        weight.val.assign(value);
        value.dispose();
      }
      seenWeights = weights.map(dataIdOf);
    },
    async pullOptimiser(steps) {
      if (trainedBy === undefined) return;
      const state = await session.read('slots', 'counters');
      writeOptimiser(trainedBy.optimizer, trainedBy.rule, trainedBy.trained, state, steps);
      seenOptimiser = optimiserIds(trainedBy);
    },
  };
}

function dataIdOf({ val }: Weight): object {
  return val.dataId;
}

function optimiserIds(trainedBy: TrainedBy | undefined): object[] {
  if (trainedBy === undefined) return [];
  const members = trainedBy.optimizer as unknown as Record<string, { variable: tf.Variable }[]>;
  return trainedBy.rule.slots.flatMap(({ member }) =>
    members[member].map(({ variable }) => variable.dataId),
  );
}
