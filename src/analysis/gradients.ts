import * as tf from '@tensorflow/tfjs-core';
import { InterruptedError, TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { createSession } from '../engine/session';
import { runNetwork } from '../nn/network';
import type { HostVariables } from '../nn/network';
import { outputOf } from '../train/steps';
import type { Sample } from './hessian';
import { scaled, toRecord, toVector, vectorLayout } from './vector';

/** A statistic of an output channel over a batch; `variance` is unbiased, `skew` is the third central moment. */
export type Moment = 'mean' | 'variance' | 'skew';

const allMoments: readonly Moment[] = ['mean', 'variance', 'skew'];

/** The moments of each channel of `[N,channels]` over the batch, in the order mean, variance, skew: `[3,channels]`. */
export function momentsOf(output: tf.Tensor2D): tf.Tensor2D {
  const mean = output.mean(0);
  const centred = output.sub(mean);
  const square = centred.square();
  const variance = square.sum(0).div(output.shape[0] - 1);
  return tf.stack([mean, variance, square.mul(centred).mean(0)]) as tf.Tensor2D;
}

type MomentState = {
  readonly network: HostVariables;
  /** Sum of the gradients over the batches. */
  readonly total: HostVariables;
};

/**
 * For each requested moment, its gradient at every channel of the network's output with respect to all trainable
 * parameters, averaged over the batches: one vector per channel, `[size]` of the network's `vectorLayout`. Other moments
 * have no vectors.
 *
 * Moments are computed per batch, so they depend on the batch size. Each vector takes a forward and a backward pass over
 * every batch.
 *
 * @param onGradient called after each vector
 * @throws TrainError if there is no batch
 * @throws InterruptedError if the signal aborts
 */
export async function momentGradients(
  { model, variables, batches, isTraining, signal }: Sample,
  moments: readonly Moment[] = allMoments,
  onGradient?: (done: number, total: number) => void,
): Promise<Record<Moment, Float32Array[]>> {
  if (batches.length === 0) {
    throw new TrainError('moments: batches is empty. Give at least one.');
  }
  const { graph } = model;
  const layout = vectorLayout(graph);
  const zeros = toRecord(layout, new Float32Array(layout.size));
  const session = createSession<MomentState>({ network: variables, total: zeros });
  const momentsAt = (
    network: Readonly<Record<string, tf.Tensor>>,
    input: tf.Tensor,
  ): tf.Tensor2D => {
    const { values } = runNetwork(graph, network, { input }, isTraining);
    return momentsOf(values.get(outputOf(graph)) as tf.Tensor2D);
  };
  try {
    const { input } = batches[0];
    const look = session.capture(
      'moments',
      ({ network }, feed) => ({ outputs: { moments: momentsAt(network, feed.input) } }),
      { input },
    );
    const { shape } = (await look({ input })).moments;
    const weights: HostTensor = { shape, data: new Float32Array(shape[0] * shape[1]) };
    const run = session.capture(
      'moment gradient',
      ({ network, total }, feed) => {
        const paths = Object.keys(total);
        const weighted = (...moving: tf.Tensor[]): tf.Tensor => {
          const changed = Object.fromEntries(paths.map((path, index) => [path, moving[index]]));
          return momentsAt({ ...network, ...changed }, feed.input)
            .mul(feed.weights)
            .sum();
        };
        const found = tf.grads(weighted)(paths.map((path) => network[path]));
        return {
          state: {
            total: Object.fromEntries(
              paths.map((path, index) => [path, total[path].add(found[index])]),
            ),
          },
        };
      },
      { input, weights },
    );

    const [, channels] = shape;
    const gradients: Record<Moment, Float32Array[]> = { mean: [], variance: [], skew: [] };
    for (const [done, moment] of moments.entries()) {
      for (let channel = 0; channel < channels; channel++) {
        weights.data.fill(0);
        weights.data[allMoments.indexOf(moment) * channels + channel] = 1;
        session.write({ total: zeros });
        for (const batch of batches) {
          if (signal?.aborted === true) {
            throw new InterruptedError(`moments: stopped at the ${moment} of channel ${channel}.`);
          }
          await run({ input: batch.input, weights });
        }
        const { total } = await session.read('total');
        gradients[moment].push(scaled(toVector(layout, total), 1 / batches.length));
        onGradient?.(done * channels + channel + 1, moments.length * channels);
      }
    }
    return gradients;
  } finally {
    session.dispose();
  }
}
