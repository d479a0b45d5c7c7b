import * as tf from '@tensorflow/tfjs-core';
import { TrainError } from '../base/errors';
import { filled } from '../base/host-tensor';
import type { Graph } from '../graph/spec';
import { parametersOfGraph } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import type { Training } from '../train/training';
import type { FoldStep } from '../train/steps';

/** One kernel or matrix of a network at one step of training. */
export type WeightPoint = {
  /** Counts from 1. */
  readonly step: number;
  /** The path of the layer, without a trailing `conv`. */
  readonly layer: string;
  /** The path of the tensor. */
  readonly path: string;
  /** Norm of the weights before the step. */
  readonly norm: number;
  /** Norm of the gradient of the batch's **mean** loss, before weight decay. */
  readonly gradient: number;
  /** Norm of the change of the weights in the step. */
  readonly movement: number;
  /**
   * Cosine of the angle between weights and gradient: 0 up to rounding if the network's output does not depend on the norm of
   * the weights.
   */
  readonly cosine: number;
};

/** The parts that a training needs to follow its weights, and a function to read the result. */
export interface WeightDynamics {
  /** Parts of a {@link Training}: spread them into it. */
  readonly training: Required<Pick<Training, 'trainSteps' | 'extraState'>>;
  /** The points of all steps trained so far, step by step, from the session's `extra`. */
  read(extra: HostVariables): WeightPoint[];
}

const slot = 'weight dynamics';
const columns = 4;

/** The paths of the followed tensors, by layer: all trainable ones of rank 2 or more, so neither scales nor biases. */
function followed(graph: Graph<AnyLayer>): Map<string, string> {
  const kernels = parametersOfGraph(graph).filter(
    ({ parameter: { role, shape } }) => role === 'trainable' && shape.length > 1,
  );
  return new Map(kernels.map(({ path }) => [path.replace(/(\/conv)?\/weight$/, ''), path]));
}

function lengthOf(tensor: tf.Tensor): tf.Tensor {
  return tensor.square().sum().sqrt();
}

/**
 * Follows every kernel and matrix of a network through its training, step by step: its norm, its gradient and how far it
 * moves.
 *
 * Four numbers per layer and step are kept on the device, in a tensor of the training's own state that is read once, at the
 * end. The trained weights are bit-identical to those without it.
 *
 * @param steps how many steps are followed, from the first
 * @throws TrainError unless `steps` is a whole number from 1, or if the network has no trainable kernel or matrix
 * @example
 * ```ts
 * const dynamics = followWeights(model.graph, 97);
 * const trainer = createTrainer({ ...training, ...dynamics.training });
 * await trainer.runEpoch(1);
 * const points = dynamics.read((await trainer.session.read('extra')).extra);
 * ```
 */
export function followWeights(graph: Graph<AnyLayer>, steps: number): WeightDynamics {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new TrainError(`followWeights: steps is ${steps}. Give a whole number from 1.`);
  }
  const layers = followed(graph);
  if (layers.size === 0) {
    throw new TrainError(
      'followWeights: the network has no trainable kernel or matrix. Give one with a convolution or a linear layer.',
    );
  }
  const shape = [steps, layers.size, columns] as const;
  const observe =
    (optimise: FoldStep): FoldStep =>
    (work) => {
      const moved = optimise(work);
      const { gradients = {} } = work;
      const rows = [...layers.values()].map((path) => {
        const [before, after] = [work.network[path], moved.network?.[path] ?? work.network[path]];
        const gradient = gradients[path].div(work.batch.target.shape[0]);
        const [norm, size] = [lengthOf(before), lengthOf(gradient)];
        const cosine = before.mul(gradient).sum().div(norm.mul(size));
        return tf.stack([norm, size, lengthOf(after.sub(before)), cosine]);
      });
      const isNow = tf.range(1, steps + 1).equal(work.step);
      const log = tf.where(isNow.reshape([steps, 1, 1]), tf.stack(rows), work.extra[slot]);
      return { ...moved, extra: { ...work.extra, ...moved.extra, [slot]: log } };
    };
  return {
    training: {
      trainSteps: ({ backward, log, optimise }) => [backward, log, observe(optimise)],
      extraState: { [slot]: filled(shape, 0) },
    },
    read(extra) {
      const { data } = extra[slot];
      const names = [...layers];
      return Array.from({ length: steps }, (_, index) => index).flatMap((index) =>
        names.flatMap(([layer, path], place) => {
          const from = (index * names.length + place) * columns;
          const [norm, gradient, movement, cosine] = data.subarray(from, from + columns);
          // Weights never have norm 0: this step has not been trained yet.
          return norm === 0
            ? []
            : [{ step: index + 1, layer, path, norm, gradient, movement, cosine }];
        }),
      );
    },
  };
}
