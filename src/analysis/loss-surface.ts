import type * as tf from '@tensorflow/tfjs-core';
import { InterruptedError, LayerError, TrainError } from '../base/errors';
import { createSession } from '../engine/session';
import type { HostVariables } from '../nn/network';
import type { Batch } from '../train/batches';
import { forward } from '../train/steps';
import type { Sample } from './hessian';
import { norm, scaled, toRecord, vectorLayout } from './vector';

/** The loss at one point of a {@link lossSurface}. */
export interface LossPlace {
  /** How far the weights have moved along each direction, in the units of the weights. */
  readonly first: number;
  readonly second: number;
  /** Mean over the examples of all batches; NaN or infinite if the network overflows. */
  readonly loss: number;
}

/** The grid of a {@link lossSurface}. */
export interface SurfaceGrid {
  /** The grid spans `-extent` to `extent` along both directions. */
  readonly extent: number;
  /** Points along each side; an odd number puts the network itself in the centre. */
  readonly points: number;
}

type SurfaceState = {
  readonly network: HostVariables;
  readonly first: HostVariables;
  readonly second: HostVariables;
};

/**
 * The loss of a network on a grid around its weights, in the plane of two directions such as the top eigenvectors of its
 * Hessian.
 *
 * Directions are `[size]` of the network's `vectorLayout`; their lengths do not matter. A point costs a forward pass over
 * every batch; network and directions are copied to the device once. Running statistics of batch norms are not updated.
 *
 * @param onPlace called after each point
 * @returns row by row: `second` ascending, and within it `first`
 * @throws TrainError if there is no batch, there are fewer than 2 points, or the extent is not above 0
 * @throws LayerError if a direction is zero or of another network; InterruptedError if the signal aborts
 * @see Li, Xu, Taylor, Studer, Goldstein, Visualizing the Loss Landscape of Neural Nets, arXiv:1712.09913 (2018), who use
 *   random directions, scaled filter by filter
 */
export async function lossSurface(
  { model, variables, batches, isTraining, signal }: Sample,
  [first, second]: readonly [Float32Array, Float32Array],
  { extent, points }: SurfaceGrid,
  onPlace?: (done: number, total: number) => void,
): Promise<LossPlace[]> {
  if (batches.length === 0 || !(points >= 2) || !(extent > 0)) {
    throw new TrainError(
      `lossSurface: ${batches.length} batches, ${points} points, extent ${extent}; expected at least one batch, two points, ` +
        'and an extent above 0.',
    );
  }
  const layout = vectorLayout(model.graph);
  const unit = (direction: Float32Array): HostVariables => {
    const length = norm(direction);
    if (length === 0) throw new LayerError('lossSurface: a direction is zero. Give another one.');
    return toRecord(layout, scaled(direction, 1 / length));
  };
  const state = { network: variables, first: unit(first), second: unit(second) };
  const session = createSession<SurfaceState>(state);
  const place = { shape: [2], data: new Float32Array(2) };
  try {
    const run = session.capture(
      'loss surface',
      ({ network, first, second }, { input, target, place }) => {
        const [a, b] = (place as tf.Tensor1D).split(2);
        const moved = Object.keys(first).map((path) => [
          path,
          network[path].add(first[path].mul(a)).add(second[path].mul(b)),
        ]);
        const weights = { ...network, ...(Object.fromEntries(moved) as typeof network) };
        const { loss } = forward(model, weights, { input, target } as Batch, isTraining);
        return { outputs: { loss: loss.mean() } };
      },
      { ...batches[0], place },
    );
    const along = Array.from({ length: points }, (_, i) => extent * ((2 * i) / (points - 1) - 1));
    const found: LossPlace[] = [];
    for (const b of along) {
      for (const a of along) {
        if (signal?.aborted === true) {
          throw new InterruptedError(
            `lossSurface: stopped after ${found.length} of ${points ** 2} places.`,
          );
        }
        place.data.set([a, b]);
        let sum = 0;
        for (const batch of batches) sum += (await run({ ...batch, place })).loss.data[0];
        found.push({ first: a, second: b, loss: sum / batches.length });
        onPlace?.(found.length, points ** 2);
      }
    }
    return found;
  } finally {
    session.dispose();
  }
}
