import { InterruptedError, TrainError } from '../base/errors';
import { createSession } from '../engine/session';
import type { Graph } from '../graph/spec';
import { pathsByRole, runNetwork } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import type { HostBatch } from './fixed-batches';

/**
 * A copy of a network whose running statistics match its weights: all batches pass through it once in training mode, which
 * updates the running statistics and nothing else. Evaluating the copy evaluates the network with frozen weights.
 *
 * While a network trains, its running statistics lag behind the changing weights. Each layer updates them with its own
 * momentum, so the old values take some 50 batches to decay.
 *
 * @returns running statistics in new tensors; all others are shared with `variables`
 * @throws TrainError if there is no batch, or no batch norm
 * @throws InterruptedError if the signal aborts
 */
export async function refreshNorms(
  graph: Graph<AnyLayer>,
  variables: HostVariables,
  batches: readonly Pick<HostBatch, 'input'>[],
  signal?: AbortSignal,
): Promise<HostVariables> {
  const paths = pathsByRole(graph, 'running');
  if (paths.length === 0 || batches.length === 0) {
    const missing = paths.length === 0 ? 'the network has no batch norm' : 'batches is empty';
    throw new TrainError(`refreshNorms: ${missing}. Give at least one.`);
  }
  const session = createSession({ network: variables });
  try {
    const [{ input: example }] = batches;
    const run = session.capture(
      'refresh norms',
      ({ network }, { input }) => ({
        state: { network: runNetwork(graph, network, { input }, true).running },
      }),
      { input: example },
    );
    for (const [index, { input }] of batches.entries()) {
      if (signal?.aborted === true) {
        throw new InterruptedError(
          `refreshNorms: stopped before batch ${index + 1} of ${batches.length}. Nothing is kept.`,
        );
      }
      await run({ input });
    }
    const { network } = await session.read('network');
    const running = paths.map((path) => [path, network[path]] as const);
    return { ...variables, ...Object.fromEntries(running) };
  } finally {
    session.dispose();
  }
}
