import type { HostBatch } from '../analysis/fixed-batches';
import type { Sample } from '../analysis/hessian';
import { refreshNorms } from '../analysis/refresh-norms';
import { lossOf, networkOf } from '../catalogue/network';
import type { FinishedRun } from '../runs/run';

/**
 * The network of a finished run with its loss, to be looked at on some batches: with batch norms that measure each batch,
 * as in training.
 */
export function sampleOf(
  { experiment, state }: Pick<FinishedRun, 'experiment' | 'state'>,
  batches: readonly HostBatch[],
): Sample {
  const model = { graph: networkOf(experiment), loss: lossOf(experiment) };
  return { model, variables: state.network, batches, isTraining: true };
}

/**
 * The same network with its batch norms frozen, on the same batches: their statistics are made to fit the weights by
 * {@link refreshNorms} and stand still from then on, however the weights move. The original stays as it is.
 *
 * @param training batches that the statistics are taken from, some 50 at least
 * @throws TrainError if the network has no batch norm, or there is no batch
 * @throws InterruptedError if the signal stops it
 */
export async function frozenSample(
  sample: Sample,
  training: readonly Pick<HostBatch, 'input'>[],
  signal?: AbortSignal,
): Promise<Sample> {
  const { model, variables } = sample;
  const refreshed = await refreshNorms(model.graph, variables, training, signal);
  return { ...sample, variables: refreshed, isTraining: false };
}
