import { serialization } from '@tensorflow/tfjs-core';
import type * as tf from '@tensorflow/tfjs-core';
import { LayersModel, layers } from '@tensorflow/tfjs-layers';
import type { BaseCallback } from '@tensorflow/tfjs-layers/dist/base_callbacks';
import { LayerError } from '../base/errors';

/**
 * The parts of TF.js 4.22 that its declarations keep private and that a recording needs. They are named here and nowhere
 * else; package.json pins the version.
 */

/** A weight of a layer. */
export interface Weight {
  readonly name: string;
  readonly originalName: string;
  readonly shape: readonly number[];
  readonly constraint: { apply(weight: tf.Tensor): tf.Tensor } | null;
  /** What `read` returns and `write` assigns. */
  val: tf.Variable;
}

/** Arguments passed to a layer besides its inputs. */
export type CallArguments = Readonly<Record<string, unknown>>;

/** A layer, or the cell of a recurrent layer. */
export interface LayerInternals {
  readonly name: string;
  readonly stateful: boolean;
  call(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArguments): tf.Tensor | tf.Tensor[];
  getClassName(): string;
  invokeCallHook(inputs: tf.Tensor | tf.Tensor[], kwargs: CallArguments): void;
}

/** Computes a batch: inputs, targets, and a weight per example or null for each output. Returns the loss, then the metrics. */
export type BatchFunction = (data: readonly (tf.Tensor | null)[]) => tf.Scalar[];

/** The loop that `fit` calls once it has checked the user's arguments. */
export type FitLoop = (
  train: BatchFunction,
  ins: readonly (tf.Tensor | null)[],
  labels: readonly string[],
  batchSize: number,
  epochs: number | undefined,
  verbose: number | undefined,
  callbacks: BaseCallback[],
  test: BatchFunction | null,
  validationIns: readonly tf.Tensor[] | undefined,
  shuffle: boolean | string | undefined,
  callbackMetrics: readonly string[],
  initialEpoch: number | undefined,
) => Promise<unknown>;

/** The members that all TF.js optimisers have in common. */
export interface OptimizerInternals {
  readonly learningRate: number;
  readonly iterations: number;
  getClassName(): string;
  getConfig(): Readonly<Record<string, unknown>>;
}

/** A functional model, or the model that a sequential one wraps. */
export interface ModelInternals {
  readonly inputs: readonly { readonly shape: readonly (number | null)[] }[];
  readonly outputs: readonly unknown[];
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly metricsNames: readonly string[];
  readonly weights: readonly Weight[];
  readonly collectedTrainableWeights: readonly Weight[] | undefined;
  readonly layers: readonly LayerInternals[];
  readonly outputLayers: readonly LayerInternals[];
  /** What `compile` was given: names, functions, or lists or objects of them. */
  readonly loss: unknown;
  readonly metrics: unknown;
  readonly lossFunctions: readonly unknown[];
  readonly metricsTensors: readonly unknown[];
  readonly optimizer: OptimizerInternals | undefined;
  isTraining: boolean;
  stopTraining: boolean | undefined;
  history: unknown;
  testFunction: BatchFunction;
  getDedupedMetricsNames(): string[];
  checkTrainableWeightsConsistency(): void;
  makeTrainFunction(): BatchFunction;
  makeTestFunction(): void;
  predictLoop(ins: readonly tf.Tensor[], batchSize: number): tf.Tensor | tf.Tensor[];
  standardizeUserData(
    x: unknown,
    y: unknown,
  ): Promise<[tf.Tensor[], tf.Tensor[], tf.Tensor[] | null]>;
}

/**
 * The model that does the computing. A sequential model wraps one, which it builds when it is compiled or first called.
 *
 * @throws LayerError if `model` is not a `tf.LayersModel` of this installation, or has no layers
 */
export function innerModel(model: LayersModel): ModelInternals {
  if (!(model instanceof LayersModel)) {
    throw new LayerError(
      'accelerate: the model is not a tf.LayersModel of the @tensorflow/tfjs-layers that cifar10-fast loads. ' +
        'Make it with tf.sequential(), tf.model() or tf.loadLayersModel(), and keep one copy of ' +
        '@tensorflow/tfjs-layers (4.22.0) installed: `npm ls @tensorflow/tfjs-layers` lists them.',
    );
  }
  const outer = model as unknown as { model?: ModelInternals; build?: () => void };
  if (outer.model !== undefined) return outer.model;
  // Only Sequential has a build() that creates a model to wrap.
  if (model.getClassName() === 'Sequential') {
    outer.build?.();
    if (outer.model !== undefined) return outer.model;
  }
  return model as unknown as ModelInternals;
}

/**
 * @throws LayerError if the model is not compiled; or if it is sequential and has got or lost layers since: like TF.js, which
 *   builds the network that it trains when it is compiled
 */
export function checkCompiled(model: LayersModel): void {
  const isOutdated = model.getClassName() === 'Sequential' && !model.built;
  if (innerModel(model).optimizer === undefined || isOutdated) throw notCompiled();
}

/** The layer classes that TF.js registered when it was loaded, by name. */
const builtIn = new Map(
  Object.entries(serialization.SerializationMap.getMap().classNameMap).map(([name, [made]]) => [
    name,
    made as unknown,
  ]),
);

/** The name of a layer's class in TF.js; undefined for a class of the user, which may have the same name. */
export function builtInClass(layer: LayerInternals): string | undefined {
  const name = layer.getClassName();
  return builtIn.get(name) === layer.constructor ? name : undefined;
}

/** The error for training or evaluating a model that is not compiled. */
export function notCompiled(): LayerError {
  return new LayerError(
    'accelerate: the model is not compiled, or got other layers since. Call model.compile(), or pass { optimizer, loss, metrics } to accelerate().',
  );
}

/** A view of the model with some members replaced; assignments to the view do not reach the model. */
export function viewOf(model: ModelInternals, members: object): ModelInternals {
  const view = Object.create(model) as ModelInternals;
  // Except for these members, which are always set on the model.
  const own = model as unknown as Record<string, unknown>;
  for (const name of ['isTraining', 'stopTraining_', 'history']) {
    Object.defineProperty(view, name, {
      get: () => own[name],
      set: (value: unknown) => {
        own[name] = value;
      },
    });
  }
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(view, name, { value, writable: true });
  }
  return view;
}

/** All layers that a model calls, including nested models, layers inside wrappers and the cells of recurrent layers. */
export function layersOf(model: ModelInternals): LayerInternals[] {
  const found = new Set<LayerInternals>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) {
      value.forEach(visit);
      return;
    }
    if (!(value instanceof layers.Layer)) return;
    const layer = value as unknown as LayerInternals;
    if (found.has(layer)) return;
    found.add(layer);
    Object.values(layer).forEach(visit);
  };
  visit(model.layers);
  return [...found];
}

/** Every weight once, in the order of the model. */
export function weightsOf(model: ModelInternals): Weight[] {
  return [...new Set(model.weights)];
}
