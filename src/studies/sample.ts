import type { HostBatch } from '../analysis/fixed-batches';
import type { Sample } from '../analysis/hessian';
import { refreshNorms } from '../analysis/refresh-norms';
import { lossOf, networkOf } from '../catalogue/network';
import type { FinishedRun } from '../runs/run';

/**
 * The network and loss of a finished run, for analysis on some batches. Batch norms measure each batch, as in training.
 */
export function sampleOf(
  { experiment, state }: Pick<FinishedRun, 'experiment' | 'state'>,
  batches: readonly HostBatch[],
): Sample {
  const model = { graph: networkOf(experiment), loss: lossOf(experiment) };
  return { model, variables: state.network, batches, isTraining: true };
}

/**
 * The same network with frozen batch norms, on the same batches. {@link refreshNorms} fits their statistics to the weights;
 * they then stay constant even if the weights change. `sample` is unchanged.
 *
 * @param training batches that the statistics are computed from, at least about 50
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
