import type * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../base/host-tensor';
import type { Rng } from '../base/rng';

/**
 * How training treats a tensor of a layer: the optimiser updates a `trainable` one, a `frozen` one stays fixed, and a
 * `running` statistic follows the batches that the layer sees.
 */
export type Role = 'trainable' | 'frozen' | 'running';

/** One tensor that a layer owns. Its path in the network's state is the node's path, `/`, and this name. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: Role;
  /** Returns the initial value; draws as many numbers from `rng` as the shape has elements, or none. */
  readonly init: (rng: Rng) => HostTensor;
}

/** The tensors of one layer by {@link Parameter.name}. */
export type Parameters = Readonly<Record<string, tf.Tensor>>;

/** The result of a layer's forward pass: its output, and the new running statistics if it updates them. */
export interface Forward {
  readonly output: tf.Tensor;
  readonly running?: Parameters;
}
