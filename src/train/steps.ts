import * as tf from '@tensorflow/tfjs-core';
import { GraphError, TrainError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { hasOwnKernels } from '../engine/raw/own-kernels';
import type { Graph } from '../graph/spec';
import { fuse } from '../nn/fuse';
import { pathsByRole, runNetwork } from '../nn/network';
import { trimNetwork } from '../nn/trim';
import type { AnyLayer, Variables } from '../nn/network';
import { updateParameters } from '../optim/optimiser';
import type { GroupedHyper, Optimiser } from '../optim/optimiser';
import type { Batch } from './batches';

/** A network and its training loss. */
export interface Model {
  readonly graph: Graph<AnyLayer>;
  /** Reads `logits` and `target`; outputs `loss` and `acc`, `[N]` each. */
  readonly loss: Graph<AnyLayer>;
}

/** The result of a forward pass on a batch. */
export interface Outcome {
  /** The value of the network's last node, `[N,classes]`. */
  readonly logits: tf.Tensor;
  /** One loss per example, `[N]`. */
  readonly loss: tf.Tensor;
  /** 1 where the example is classified correctly, else 0, `[N]`. */
  readonly acc: tf.Tensor;
  /** New values of the running statistics; empty in evaluation. */
  readonly running: Variables;
}

/** Sums over the examples seen since the epoch started, `[]` each; they stay on the device until it ends. */
export type Totals = {
  readonly loss: HostTensor;
  readonly correct: HostTensor;
  readonly count: HostTensor;
  /** The first step whose loss was NaN or infinite; -1 if there is none. */
  readonly firstBadStep: HostTensor;
};

/** Totals before the first batch. */
export function emptyTotals(): Totals {
  return {
    loss: filled([], 0),
    correct: filled([], 0),
    count: filled([], 0),
    firstBadStep: filled([], -1),
  };
}

/** Adds a batch to the totals. */
export function addToTotals(
  totals: { readonly [K in keyof Totals]: tf.Tensor },
  { loss, acc }: Pick<Outcome, 'loss' | 'acc'>,
  step: tf.Tensor,
): { readonly [K in keyof Totals]: tf.Tensor } {
  const sum = loss.sum();
  const isBad = tf.logicalAnd(totals.firstBadStep.less(0), tf.logicalNot(tf.isFinite(sum)));
  return {
    loss: totals.loss.add(sum),
    correct: totals.correct.add(acc.sum()),
    count: totals.count.add(loss.shape[0]),
    firstBadStep: tf.where(isBad, step, totals.firstBadStep),
  };
}

/** The name of a network's output: its last node. */
export function outputOf(graph: Graph<AnyLayer>): string {
  const last = [...graph.keys()].at(-1);
  if (last === undefined) throw new GraphError('graph: the network is empty. Give it a node.');
  return last;
}

/** Loss and accuracy of given logits, by the model's loss network. */
export function judge(
  { loss }: Model,
  logits: tf.Tensor,
  target: tf.Tensor,
): Omit<Outcome, 'running'> {
  const { values } = runNetwork(loss, {}, { logits, target }, false);
  return {
    logits,
    loss: values.get('loss') as tf.Tensor,
    acc: values.get('acc') as tf.Tensor,
  };
}

/** The network as executed: the same parameters and result with fewer intermediate values. */
function simplified(graph: Graph<AnyLayer>): Graph<AnyLayer> {
  const trimmed = trimNetwork(graph);
  return hasOwnKernels() ? fuse(trimmed) : trimmed;
}

/** Runs the network and its loss on a batch. */
export function forward(
  model: Model,
  variables: Variables,
  batch: Batch,
  isTraining: boolean,
): Outcome {
  const { values, running } = runNetwork(
    simplified(model.graph),
    variables,
    { input: batch.input },
    isTraining,
  );
  const logits = values.get(outputOf(model.graph)) as tf.Tensor;
  return { ...judge(model, logits, batch.target), running };
}

/** The network's logits `[N,classes]` of images `[N,H,W,C]`, in evaluation mode. */
export function logitsOf(model: Model, variables: Variables, input: tf.Tensor4D): tf.Tensor2D {
  const graph = simplified(model.graph);
  const { values } = runNetwork(graph, variables, { input }, false);
  return values.get(outputOf(graph)) as tf.Tensor2D;
}

/**
 * The gradients of the **summed** loss with respect to the trainable variables, before weight decay, and the outcome of the
 * forward pass.
 *
 * @param frozen paths of trainable variables that need no gradient; gradients that only they depend on are not computed
 */
export function gradients(
  model: Model,
  variables: Variables,
  batch: Batch,
  frozen: readonly string[] = [],
): { readonly outcome: Outcome; readonly gradients: Record<string, tf.Tensor> } {
  const paths = pathsByRole(model.graph, 'trainable').filter((path) => !frozen.includes(path));
  let outcome: Outcome | undefined;
  const grads = tf.grads((...moving: tf.Tensor[]) => {
    const changed = Object.fromEntries(paths.map((path, index) => [path, moving[index]]));
    const found = forward(model, { ...variables, ...changed }, batch, true);
    // TF.js disposes every tensor that this function creates except its result, so the outcome is kept explicitly.
    outcome = mapOutcome(found, (tensor) => tf.keep(tensor.clone()));
    return found.loss.sum();
  })(paths.map((path) => variables[path]));
  const released = mapOutcome(outcome as unknown as Outcome, (tensor) => {
    const copy = tensor.clone();
    tensor.dispose();
    return copy;
  });
  return {
    outcome: released,
    gradients: Object.fromEntries(paths.map((path, index) => [path, grads[index]])),
  };
}

function mapOutcome(outcome: Outcome, change: (tensor: tf.Tensor) => tf.Tensor): Outcome {
  return {
    logits: change(outcome.logits),
    loss: change(outcome.loss),
    acc: change(outcome.acc),
    running: Object.fromEntries(
      Object.entries(outcome.running).map(([path, tensor]) => [path, change(tensor)]),
    ),
  };
}

/** The value that the steps of a fold pass along: a batch, its hyperparameters, the state, and the results so far. */
export interface Work {
  readonly batch: Batch;
  readonly hyper: GroupedHyper;
  /** Counts from 1 over the whole run, float32 scalar. */
  readonly step: tf.Tensor;
  readonly network: Variables;
  /** One for each trainable variable. */
  readonly velocity: Variables;
  readonly totals: { readonly [K in keyof Totals]: tf.Tensor };
  /** State that the caller's steps keep from batch to batch, under names of their choice. */
  readonly extra: Variables;
  readonly outcome?: Outcome;
  /** Gradients of the summed loss, before weight decay, by path. */
  readonly gradients?: Variables;
}

/** One step of a fold: reads the work so far and returns its changes and additions. Creates new tensors, disposes nothing. */
export type FoldStep = (work: Work) => Partial<Work>;

/** Runs steps in order, each on the result of the previous ones. */
export function fold(
  work: Omit<Work, 'extra'> & Partial<Pick<Work, 'extra'>>,
  steps: readonly FoldStep[],
): Work {
  return steps.reduce<Work>((before, step) => ({ ...before, ...step(before) }), {
    extra: {},
    ...work,
  });
}

/**
 * Forward and backward pass in training mode; updates the running statistics.
 *
 * @param frozen paths of trainable variables that get no gradient and so are not updated
 * @throws GraphError or LayerError, when it runs, if the network does not fit its input or its loss
 */
export function backward(model: Model, frozen: readonly string[] = []): FoldStep {
  return ({ batch, network }) => {
    const found = gradients(model, network, batch, frozen);
    return { ...found, network: { ...network, ...found.outcome.running } };
  };
}

/** Adds the outcome to the totals. @throws TrainError, when it runs, if no earlier step produced an outcome */
export const log: FoldStep = ({ totals, outcome, step }) => ({
  totals: addToTotals(totals, found(outcome, 'log', 'an evaluation or a backward pass'), step),
});

/**
 * Updates every variable that has a gradient.
 *
 * @throws TrainError, when it runs, if no earlier step computed gradients; OptimError if a rule cannot update a tensor
 */
export function optimise(optimiser: Optimiser): FoldStep {
  return ({ network, velocity, hyper, ...work }) => {
    const grads = found(work.gradients, 'optimise', 'a backward pass');
    const trainable = Object.fromEntries(Object.keys(grads).map((path) => [path, network[path]]));
    const moved = updateParameters(optimiser, trainable, grads, velocity, hyper);
    return {
      network: { ...network, ...moved.parameters },
      velocity: { ...velocity, ...moved.velocity },
    };
  };
}

function found<T>(value: T | undefined, step: string, before: string): T {
  if (value === undefined) {
    throw new TrainError(
      `steps: "${step}" needs ${before} before it. Put one earlier in the list.`,
    );
  }
  return value;
}
