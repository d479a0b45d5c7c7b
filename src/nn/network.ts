import type * as tf from '@tensorflow/tfjs-core';
import { GraphError, LayerError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import type { Rng } from '../base/rng';
import type { Graph } from '../graph/spec';
import { activationForward } from './activation';
import type { ActivationLayer } from './activation';
import { batchNormForward, batchNormParameters } from './batch-norm';
import type { BatchNormLayer } from './batch-norm';
import { combineForward } from './combine';
import type { CombineLayer } from './combine';
import { convForward, convParameters, linearForward } from './conv';
import type { ConvLayer, LinearLayer } from './conv';
import { lossForward } from './loss';
import type { LossLayer } from './loss';
import type { Forward, Parameter, Parameters, Role } from './parameter';
import { poolForward } from './pool';
import type { GlobalPoolLayer, PoolLayer } from './pool';

/** Every layer that a network can hold. */
export type AnyLayer =
  | ConvLayer
  | LinearLayer
  | BatchNormLayer
  | ActivationLayer
  | PoolLayer
  | GlobalPoolLayer
  | CombineLayer
  | LossLayer;

/** Tensors of a network by path: `layer1/conv/weight`, `layer1/bn/running_mean`. */
export type Variables = Readonly<Record<string, tf.Tensor>>;

/** A network's tensors on the host, by path. */
export type HostVariables = Readonly<Record<string, HostTensor>>;

/** The result of a forward pass. */
export interface Activations {
  /** Every node's value by path, fed nodes included. */
  readonly values: ReadonlyMap<string, tf.Tensor>;
  /** New values of the running statistics, by path of the variable; empty in evaluation. */
  readonly running: Variables;
}

function parametersOf(layer: AnyLayer): Parameter[] {
  switch (layer.kind) {
    case 'conv':
    case 'linear':
      return convParameters(layer);
    case 'batch-norm':
    case 'ghost-batch-norm':
      return batchNormParameters(layer);
    default:
      return [];
  }
}

function forward(
  layer: AnyLayer,
  inputs: readonly tf.Tensor[],
  parameters: Parameters,
  isTraining: boolean,
): Forward {
  const [x] = inputs;
  switch (layer.kind) {
    case 'conv':
      return { output: convForward(layer, x, parameters) };
    case 'linear':
      return { output: linearForward(layer, x, parameters) };
    case 'batch-norm':
    case 'ghost-batch-norm':
      return batchNormForward(layer, x, parameters, isTraining);
    case 'relu':
    case 'celu':
    case 'softplus':
    case 'shift-scale-relu':
    case 'gelu':
    case 'silu':
      return { output: activationForward(layer, x) };
    case 'max-pool':
    case 'avg-pool':
    case 'global-max-pool':
      return { output: poolForward(layer, x) };
    case 'identity':
    case 'add':
    case 'add-weighted':
    case 'mul':
    case 'concat':
    case 'flatten':
      return { output: combineForward(layer, inputs) };
    case 'log-softmax':
    case 'cross-entropy':
    case 'nll':
    case 'kl-uniform':
    case 'correct':
      return { output: lossForward(layer, inputs) };
    default:
      return layer satisfies never;
  }
}

/** Every parameter of a network with its full path, in order of evaluation. */
export function parametersOfGraph(
  graph: Graph<AnyLayer>,
): { readonly path: string; readonly parameter: Parameter }[] {
  return [...graph].flatMap(([path, { layer }]) =>
    layer === null
      ? []
      : parametersOf(layer).map((parameter) => ({ path: `${path}/${parameter.name}`, parameter })),
  );
}

/**
 * Initial values of all of a network's tensors, trainable or not. The same seed gives the same values.
 *
 * Kernels are `[height,width,in,out]`, matrices `[in,out]`, all else `[channels]`; float32, new arrays.
 */
export function initNetwork(graph: Graph<AnyLayer>, rng: Rng): HostVariables {
  return Object.fromEntries(
    parametersOfGraph(graph).map(({ path, parameter }) => [path, parameter.init(rng)]),
  );
}

/** The paths of a network's tensors with the given role. */
export function pathsByRole(graph: Graph<AnyLayer>, role: Role): string[] {
  return parametersOfGraph(graph)
    .filter(({ parameter }) => parameter.role === role)
    .map(({ path }) => path);
}

/** The number of trainable parameters of a network, counted as scalars. */
export function countTrainable(graph: Graph<AnyLayer>): number {
  return parametersOfGraph(graph)
    .filter(({ parameter }) => parameter.role === 'trainable')
    .reduce((total, { parameter }) => total + sizeOf(parameter.shape), 0);
}

/**
 * Evaluates a network node by node and returns every activation.
 *
 * A node listed in `feeds` takes its value from there instead of being computed, so any activation can be injected. The
 * returned tensors are new, or those that were fed; call it in a `tf.tidy`, or as part of a step. Images are `[N,H,W,C]`,
 * logits `[N,classes]`.
 *
 * @param variables all tensors that the network's layers own, by path
 * @param isTraining whether batch norms use the statistics of the batch and update the running statistics
 * @throws GraphError if a node without a layer is not fed, a feed names an unknown node, or a variable is missing
 * @throws LayerError if a layer gets an unsupported shape; the message starts with the path of the node
 */
export function runNetwork(
  graph: Graph<AnyLayer>,
  variables: Variables,
  feeds: Readonly<Record<string, tf.Tensor>>,
  isTraining: boolean,
): Activations {
  for (const path of Object.keys(feeds)) {
    if (!graph.has(path)) {
      throw new GraphError(
        `network: "${path}" is fed, but the network has no such node.${nearestHint(path, graph.keys())}`,
      );
    }
  }
  const values = new Map<string, tf.Tensor>();
  const running: Record<string, tf.Tensor> = {};
  for (const [path, { layer, inputs }] of graph) {
    const fed = feeds[path];
    if (fed !== undefined) {
      values.set(path, fed);
      continue;
    }
    if (layer === null) {
      throw new GraphError(
        `network: "${path}" has no layer, so it must be fed. Feeds: ` +
          `${Object.keys(feeds).join(', ') || 'none'}.`,
      );
    }
    const owned = parametersOf(layer).map(({ name }) => {
      const variable = variables[`${path}/${name}`];
      if (variable === undefined) {
        throw new GraphError(
          `network: there is no variable "${path}/${name}".` +
            `${nearestHint(`${path}/${name}`, Object.keys(variables))} Run the graph whose variables were initialised.`,
        );
      }
      return [name, variable] as const;
    });
    try {
      const read = inputs.map((input) => values.get(input) as tf.Tensor);
      const result = forward(layer, read, Object.fromEntries(owned), isTraining);
      values.set(path, result.output);
      for (const [name, value] of Object.entries(result.running ?? {})) {
        running[`${path}/${name}`] = value;
      }
    } catch (cause) {
      if (!(cause instanceof LayerError)) throw cause;
      throw new LayerError(`"${path}": ${cause.message}`, { cause });
    }
  }
  return { values, running };
}

/**
 * The number of outputs of a network: that of its last linear layer or convolution. Undefined if it has neither, or
 * concatenates values after that.
 */
export function outputCount(graph: Graph<AnyLayer>): number | undefined {
  for (const { layer } of [...graph.values()].toReversed()) {
    if (layer?.kind === 'linear' || layer?.kind === 'conv') return layer.cout;
    if (layer?.kind === 'concat') return undefined;
  }
  return undefined;
}
