import * as tf from '@tensorflow/tfjs-core';
import { InterruptedError, TrainError } from '../base/errors';
import { withOwnKernels } from '../engine/raw/own-kernels';
import { registerSecondDerivatives } from '../engine/raw/second-order';
import { createSession } from '../engine/session';
import type { HostVariables, Variables } from '../nn/network';
import type { Batch } from '../train/batches';
import { forward } from '../train/steps';
import type { Model } from '../train/steps';
import type { HostBatch } from './fixed-batches';
import { scaled, toRecord, toVector, vectorLayout } from './vector';
import type { VectorLayout } from './vector';

/** A network with given weights, and the batches to examine it on. */
export interface Sample {
  readonly model: Model;
  /** All of the network's tensors; copied to the device. */
  readonly variables: HostVariables;
  /** All of the same size. */
  readonly batches: readonly HostBatch[];
  /** Whether batch norms use the statistics of the batch, which depend on the weights, or their running ones. */
  readonly isTraining: boolean;
  /** Stops between two batches. */
  readonly signal?: AbortSignal;
}

/** The Hessian of a loss, as a function that multiplies vectors. */
export interface Hessian {
  readonly layout: VectorLayout;
  /** The product with a vector of `layout.size` numbers: a new vector. Calls must not overlap. */
  readonly product: (vector: Float32Array) => Promise<Float32Array>;
  /** Frees the device's memory. */
  readonly dispose: () => void;
}

type SampleState = {
  readonly network: HostVariables;
  readonly direction: HostVariables;
  /** Sum of the products over the batches. */
  readonly total: HostVariables;
};

/**
 * The Hessian of the loss **summed** over a batch, with respect to all trainable parameters, averaged over the batches:
 * the eigenvalues in post 7 are for batches of 256 examples. Divide by the batch size for the Hessian of the mean loss.
 *
 * A product is the gradient of (gradient . v), by two backward passes, and exact for every layer of `nn/` (points where a
 * ReLU or a maximum switches contribute nothing). It takes as long as three gradients.
 *
 * @throws TrainError if there is no batch
 * @throws InterruptedError from a product, if the signal aborts
 * @see Pearlmutter, Fast Exact Multiplication by the Hessian, Neural Computation 6 (1994)
 */
export function createHessian({ model, variables, batches, isTraining, signal }: Sample): Hessian {
  if (batches.length === 0) throw new TrainError('hessian: batches is empty. Give at least one.');
  registerSecondDerivatives();
  const layout = vectorLayout(model.graph);
  const zeros = toRecord(layout, new Float32Array(layout.size));
  const session = createSession<SampleState>({
    network: variables,
    direction: zeros,
    total: zeros,
  });
  const run = session.capture(
    'hessian',
    ({ network, direction, total }, { input, target }) => {
      const batch = { input, target } as Batch;
      const products = withOwnKernels(false, () =>
        hessianVector(model, network, batch, direction, isTraining),
      );
      return {
        state: {
          total: Object.fromEntries(
            Object.entries(products).map(([path, part]) => [path, total[path].add(part)]),
          ),
        },
      };
    },
    batches[0],
  );
  return {
    layout,
    async product(vector) {
      session.write({ direction: toRecord(layout, vector), total: zeros });
      for (const [index, batch] of batches.entries()) {
        if (signal?.aborted === true) {
          throw new InterruptedError(
            `hessian: stopped before batch ${index + 1} of ${batches.length}.`,
          );
        }
        await run(batch);
      }
      const { total } = await session.read('total');
      return scaled(toVector(layout, total), 1 / batches.length);
    },
    dispose: () => session.dispose(),
  };
}

/**
 * The Hessian of the summed loss of one batch times a direction, by path of the trainable tensors. A pure function of
 * tensors for use in a step; call `registerSecondDerivatives` first.
 */
export function hessianVector(
  model: Model,
  variables: Variables,
  batch: Batch,
  direction: Variables,
  isTraining: boolean,
): Record<string, tf.Tensor> {
  const paths = Object.keys(direction);
  const lossAt = (...moving: tf.Tensor[]): tf.Tensor => {
    const changed = Object.fromEntries(paths.map((path, index) => [path, moving[index]]));
    return forward(model, { ...variables, ...changed }, batch, isTraining).loss.sum();
  };
  const slopeAt = (...moving: tf.Tensor[]): tf.Tensor => {
    const gradients = tf.grads(lossAt)(moving);
    return tf.addN(gradients.map((gradient, i) => gradient.mul(direction[paths[i]]).sum()));
  };
  const products = tf.grads(slopeAt)(paths.map((path) => variables[path]));
  return Object.fromEntries(paths.map((path, index) => [path, products[index]]));
}
