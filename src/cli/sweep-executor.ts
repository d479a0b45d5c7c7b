import { UsageError } from '../base/errors';
import { readHardware } from '../engine/hardware';
import { connectRay } from '../sweeps/ray';
import { localExecutor } from '../sweeps/sweep';
import type { Executor } from '../sweeps/sweep';
import { wholeNumber } from './flags';
import type { Given } from './flags';
import { counted } from '../text/counted';

/** Estimated memory of a worker. */
const workerBytes = 4 * 2 ** 30;

/** The executor of a sweep, and its description in the headline. */
export interface Chosen {
  readonly executor: Executor;
  readonly threads: number | undefined;
  readonly workers: string;
  readonly close: () => Promise<void>;
}

/**
 * Chooses workers on this machine or a cluster. The number of threads per run never depends on the number of workers, as it
 * changes results.
 */
export async function chooseExecutor(given: Given): Promise<Chosen> {
  const retries = wholeNumber(given, 'retries', 0, 2);
  const address = given.values.get('ray');
  if (address !== undefined) return chooseRay(given, address, retries);
  if (given.values.has('gpus')) {
    throw new UsageError(
      '--gpus is for --ray. Here every worker has one GPU; CUDA_VISIBLE_DEVICES selects the GPUs.',
    );
  }
  const { cores, memoryBytes, gpus } = readHardware();
  const names = visibleGpus(gpus.length, process.env['CUDA_VISIBLE_DEVICES']);
  const threads = threadsOf(given, names.length > 0);
  const fitting =
    names.length > 0
      ? names.length
      : Math.min(Math.floor(cores / (threads ?? 1)), Math.floor(memoryBytes / workerBytes));
  const workers = wholeNumber(given, 'workers', 1, Math.max(1, fitting));
  return {
    executor: localExecutor({ workers, retries, gpus: names }),
    threads,
    workers: counted(workers, 'worker'),
    close: () => Promise.resolve(),
  };
}

/**
 * Names for `CUDA_VISIBLE_DEVICES` of the GPUs that this process may use.
 *
 * @param visible that variable. As CUDA reads it, the list ends at the first name that is empty or below 0, so `-1` hides all
 */
export function visibleGpus(count: number, visible: string | undefined): string[] {
  if (count === 0) return [];
  if (visible === undefined) return Array.from({ length: count }, (_, index) => String(index));
  const names = visible.split(',').map((name) => name.trim());
  const end = names.findIndex((name) => name === '' || name.startsWith('-'));
  return end < 0 ? names : names.slice(0, end);
}

async function chooseRay(given: Given, address: string, retries: number): Promise<Chosen> {
  if (given.values.has('workers')) {
    throw new UsageError(
      '--workers is for runs on this machine; with --ray the cluster determines their number.',
    );
  }
  const text = given.values.get('gpus');
  const gpusPerRun = text === undefined ? undefined : Number(text);
  if (text?.trim() === '' || (gpusPerRun !== undefined && !isCount(gpusPerRun))) {
    throw new UsageError(`--gpus "${text}" is not a number of GPUs. Give one, as in --gpus 1.`);
  }
  const cluster = await connectRay({
    address,
    retries,
    ...(gpusPerRun === undefined ? {} : { gpusPerRun }),
  });
  const { nodes, cpus } = cluster;
  return {
    executor: cluster.executor,
    threads: threadsOf(given, cluster.gpusPerRun > 0),
    workers: `Ray at ${address}, ${counted(nodes, 'node')}, ${cpus} CPUs`,
    close: () => cluster.close(),
  };
}

const isCount = (value: number): boolean => Number.isFinite(value) && value >= 0;

/** Default: 1 on a CPU, where parallel runs use the cores better than one run does; TensorFlow's choice on a GPU. */
function threadsOf(given: Given, usesGpu: boolean): number | undefined {
  return given.values.has('threads') || !usesGpu ? wholeNumber(given, 'threads', 1, 1) : undefined;
}
