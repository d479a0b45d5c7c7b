import type * as tf from '@tensorflow/tfjs-core';
import { GraphError, TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import { createSession } from '../engine/session';
import type { Graph } from '../graph/spec';
import { runNetwork } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import type { Sample } from './hessian';
import { perturbed, vectorLayout } from './vector';

/** What to read from a network, and how to run it. */
export interface ActivationsOptions {
  /** Paths of the nodes whose values are read. */
  readonly nodes: readonly string[];
  /** Whether batch norms use the statistics of the batch, or their running ones. */
  readonly isTraining: boolean;
  /** How many channels (the last axis) of each node to read, from the first. Default: all. */
  readonly channels?: number;
}

/**
 * The activations of some nodes for one input, at several places in weight space: for each place the values by path, in
 * fp32, `[N,...,channels]`.
 *
 * The network is copied to the device and captured once; a place costs a copy of the weights and a forward pass. Running
 * statistics are not updated.
 *
 * @param places all tensors of the network's layers, by path; at least one place
 * @param input the value of the node `input`
 * @throws TrainError if there is no place
 * @throws GraphError if a node to read does not exist, or a tensor is missing
 */
export async function activationsAt(
  graph: Graph<AnyLayer>,
  places: readonly HostVariables[],
  input: HostTensor,
  { nodes, isTraining, channels = Infinity }: ActivationsOptions,
): Promise<Record<string, HostTensor>[]> {
  const [first] = places;
  if (first === undefined) {
    throw new TrainError('activations: places is empty. Give at least one set of weights.');
  }
  for (const node of nodes) {
    if (graph.has(node)) continue;
    throw new GraphError(
      `activations: the network has no node "${node}".${nearestHint(node, graph.keys())}`,
    );
  }
  const session = createSession({ network: first });
  try {
    const run = session.capture(
      'activations',
      ({ network }, feed) => {
        const { values } = runNetwork(graph, network, { input: feed.input }, isTraining);
        const outputs = nodes.map((node) => {
          const value = values.get(node) as tf.Tensor;
          const { shape } = value;
          const size = [...shape.slice(0, -1), Math.min(channels, shape[shape.length - 1])];
          const from = shape.map(() => 0);
          return [node, value.slice(from, size)] as const;
        });
        return { outputs: Object.fromEntries(outputs) };
      },
      { input },
    );
    const found: Record<string, HostTensor>[] = [];
    for (const place of places) {
      session.write({ network: place });
      found.push(await run({ input }));
    }
    return found;
  } finally {
    session.dispose();
  }
}

/**
 * The activations of some nodes for one input after moving the weights by `distance` along each direction, always from the
 * original weights: for each direction the values by path, `[N,...,channels]`, as {@link activationsAt} returns them.
 * Directions are `[size]` of the network's `vectorLayout`; their lengths do not matter.
 *
 * @throws LayerError if a direction is zero, or of another network
 * @throws TrainError if there is no direction; GraphError as `activationsAt`
 */
export function activationsAlong(
  { model: { graph }, variables, isTraining }: Omit<Sample, 'batches'>,
  directions: readonly Float32Array[],
  distance: number,
  input: HostTensor,
  options: Omit<ActivationsOptions, 'isTraining'>,
): Promise<Record<string, HostTensor>[]> {
  const layout = vectorLayout(graph);
  const places = directions.map((along) => perturbed(layout, variables, along, distance));
  return activationsAt(graph, places, input, { ...options, isTraining });
}
