import * as tf from '@tensorflow/tfjs-core';
import { LayerError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { randomSource } from '../engine/random';
import { widen } from '../engine/raw/widen';
import type { Step } from '../engine/session';
import { withWeights } from './bound-weights';
import { withFusedGradients } from './fused-gradients';
import { viewOf, weightsOf } from './internals';
import type { ModelInternals, Weight } from './internals';
import { partSizes, trainInParts } from './micro-batches';
import { withPreparedLayers } from './prepared-layers';
import { weightedLosses } from './sample-weights';
import type { UpdateRule } from './update-rules';

/** Tensors keyed by number, as trees have no lists. */
export type Numbered<T> = Readonly<Record<string, T>>;

/** The state of a model that a session holds. */
export type ModelState = {
  readonly weights: Numbered<HostTensor>;
  /** By member of the optimiser, then by number of the weight. */
  readonly slots: Readonly<Record<string, Numbered<HostTensor>>>;
  readonly counters: Readonly<Record<string, HostTensor>>;
};

/** The inputs of a training step. */
export type TrainInputs = {
  /** Inputs, targets and, for outputs that have them, a weight for each example. */
  readonly data: Numbered<HostTensor>;
  readonly lr: number;
  /** int32 `[2]`: the training seed and the step number. */
  readonly seed: Int32Array;
};

/** Losses and metrics of a batch, in the order of the model's metrics. */
export type BatchFigures = {
  /** `[metrics]` */
  readonly figures: tf.Tensor;
};

/** Converts a list to an object keyed by number; {@link listed} converts it back. */
export function numbered<T>(list: readonly T[]): Numbered<T> {
  return Object.fromEntries(list.map((value, index) => [String(index), value]));
}

export function listed<T>(record: Numbered<T>): T[] {
  return Object.keys(record)
    .toSorted((a, b) => Number(a) - Number(b))
    .map((key) => record[key]);
}

/** The tensors of a batch, with null for missing sample weights. */
function withGaps(data: Numbered<tf.Tensor>, count: number): (tf.Tensor | null)[] {
  return Array.from({ length: count }, (_, index) => data[index] ?? null);
}

/** Stacks tensors of one number each into a vector. */
function stacked(values: readonly tf.Tensor[]): tf.Tensor {
  return tf.stack(values.map((value) => tf.reshape(value, [])));
}

/** What steps of a model share. Tensors that outlive a recording's scope go into `kept`; the caller disposes them. */
export interface StepContext {
  readonly model: ModelInternals;
  readonly kept: tf.Tensor[];
}

/** A training step: forward, loss, gradients, update and metrics, with the functions that TF.js builds from the model. */
export function trainStep(
  { model, kept }: StepContext,
  rule: UpdateRule,
  options: {
    readonly enforceConstraints: boolean;
    readonly microBatch: number | undefined;
    /** Whether gradients are computed in fp16, which needs a scaled loss. */
    readonly isHalf: boolean;
  },
): Step<ModelState, TrainInputs, BatchFigures> {
  const weights = weightsOf(model);
  const lossData = model.inputs.length + model.outputs.length;
  const dataCount = lossData + model.outputs.length;
  return (state, { data, lr, seed }) => {
    const slots = Object.fromEntries(
      Object.entries(state.slots).map(([member, tensors]) => [member, { ...tensors }]),
    );
    let counters = state.counters;
    const gradients = new Map<tf.Variable, tf.Tensor>();
    const update = (): void => {
      for (const [variable, gradient] of gradients) {
        const index = weights.findIndex(({ val }) => val === variable);
        const own = Object.fromEntries(
          rule.slots.map(({ member }) => [member, slots[member][index]]),
        );
        const updated = rule.update(variable, gradient, own, counters, lr);
        variable.assign(constrained(weights[index], updated.weight, options.enforceConstraints));
        for (const [member, tensor] of Object.entries(updated.slots)) slots[member][index] = tensor;
      }
      counters = { ...counters, ...rule.advance(counters) };
    };
    const sizes = partSizes(model, data[0].shape[0], options.microBatch);
    const drawn = { count: 0 };
    const { result, after } = withWeights(weights, listed(state.weights), kept, () => {
      const figures = trainInParts(
        withGaps(data, dataCount),
        sizes,
        () => [...gradients.values()],
        (part, share, start) => {
          const scale = options.isHalf ? lossScale((part[0] as tf.Tensor).shape[0]) : 1;
          const minimize = addGradients(gradients, share, scale);
          const lossFunctions = weightedLosses(model, part.slice(lossData));
          const view = viewOf(model, { optimizer_: { minimize }, lossFunctions });
          const found = withPreparedLayers(model, randomSource(start(seed), drawn), () =>
            withFusedGradients(() => view.makeTrainFunction()(part.slice(0, lossData))),
          );
          kept.push(...found);
          return found;
        },
      );
      update();
      return figures;
    });
    return {
      state: { weights: numbered(after), slots, counters },
      outputs: { figures: stacked(result) },
    };
  };
}

/** The number of examples, rounded to a power of two, so that scaling rounds nothing. */
function lossScale(examples: number): number {
  return 2 ** Math.round(Math.log2(examples));
}

/**
 * A `minimize` for TF.js that only adds the gradients of the loss, times `share`, to `sums`, and returns the loss.
 *
 * @param scale factor of the loss in the backward pass. The loss is a mean over the batch, so the gradients of single
 *   examples are as small as the batch is large; times its size, they do not underflow in fp16
 */
function addGradients(
  sums: Map<tf.Variable, tf.Tensor>,
  share: number,
  scale: number,
): (loss: () => tf.Scalar, returnCost: boolean, variables: tf.Variable[]) => tf.Scalar {
  return (loss, _returnCost, variables) => {
    const scaled = (): tf.Scalar => (scale === 1 ? loss() : tf.mul(loss(), scale));
    const { value, grads } = tf.variableGrads(scaled, variables);
    for (const variable of variables) {
      const gradient = grads[variable.name] as tf.Tensor | null | undefined;
      if (gradient === undefined || gradient === null) continue;
      const factor = share / scale;
      const wide = widen(gradient);
      const part = factor === 1 ? wide : tf.mul(wide, factor);
      const before = sums.get(variable);
      sums.set(variable, before === undefined ? part : tf.add(before, part));
    }
    return scale === 1 ? value : tf.div(value, scale);
  };
}

function constrained({ constraint }: Weight, value: tf.Tensor, enforce: boolean): tf.Tensor {
  return enforce && constraint !== null ? constraint.apply(value) : value;
}

/** Losses and metrics of a batch, as `evaluate` computes them. */
export function testStep({
  model,
  kept,
}: StepContext): Step<ModelState, { readonly data: Numbered<HostTensor> }, BatchFigures> {
  return (state, { data }) => {
    const view = viewOf(model, { testFunction: undefined });
    view.makeTestFunction();
    const { result } = inference(model, kept, state.weights, () => view.testFunction(listed(data)));
    return { outputs: { figures: stacked(result) } };
  };
}

/** The outputs of a batch, as `predict` computes them. */
export function predictStep({
  model,
  kept,
}: StepContext): Step<ModelState, { readonly data: Numbered<HostTensor> }, Numbered<tf.Tensor>> {
  return (state, { data }) => {
    const inputs = listed(data);
    const { result } = inference(model, kept, state.weights, () =>
      model.predictLoop(inputs, inputs[0].shape[0]),
    );
    return { outputs: numbered(Array.isArray(result) ? result : [result]) };
  };
}

function inference<T>(
  model: ModelInternals,
  kept: tf.Tensor[],
  weights: Numbered<tf.Tensor>,
  action: () => T,
): { readonly result: T } {
  // A layer that draws random numbers outside of training must throw.
  const noRandom = {
    uniform: refuseRandom,
    normal: refuseRandom,
  };
  return withWeights(weightsOf(model), listed(weights), kept, () =>
    withPreparedLayers(model, noRandom, action),
  );
}

function refuseRandom(): never {
  throw new LayerError('accelerate: a layer draws random numbers outside of training.');
}
