import type { Cifar10 } from '../data/cifar10';
import type { AlgorithmRow } from '../engine/conv-algorithm';
import { fastestPrecision, readHardware } from '../engine/hardware';
import { loadTensorflow } from '../engine/tensorflow';
import type { ThreadOptions } from '../engine/tensorflow';
import type { TrainerCache } from '../runs/trainer-cache';
import type { JobEngine, PrepareJob } from './job';

/**
 * Decides how all runs of a sweep are executed: the precision, if none is requested, and the algorithm of every convolution,
 * measured once. Runs that share these choices give the same results on every worker.
 *
 * @param load loads the images; called only if there is something to measure
 * @param trainers keeps the trainer of the first experiment, for its runs
 * @throws InterruptedError if the signal stops it
 */
export async function prepareEngine(
  { experiments, engine }: Pick<PrepareJob, 'experiments' | 'engine'>,
  load: () => Promise<Cifar10>,
  trainers: TrainerCache,
  signal?: AbortSignal,
): Promise<JobEngine> {
  const { mode, xla, intraOpThreads } = engine;
  const threads = intraOpThreads === undefined ? {} : { intraOpThreads };
  const { gpu } = loadTensorflow(workerThreads(intraOpThreads));
  const fastest = mode === 'eager' ? 'fp32' : fastestPrecision(readHardware(), gpu);
  const { precision = fastest } = engine;
  const algorithms = new Map<string, AlgorithmRow>();
  // On a GPU, cuDNN chooses; in fp16 and in an eager session there is only one algorithm.
  if (mode === 'captured' && precision !== 'fp16' && !gpu) {
    const data = await load();
    // In reverse, so that the cache ends with the trainer of the first experiment, which runs first.
    for (const experiment of experiments.toReversed()) {
      signal?.throwIfAborted();
      const known = [...algorithms.values()];
      const plan = { experiment, seed: 0, mode, precision, xla, algorithms: known };
      const { trainer } = await trainers.ready(plan, {
        data,
        onProgress: () => undefined,
        ...(signal === undefined ? {} : { signal }),
      });
      // A convolution has three passes of the same shape, each with its own algorithm.
      for (const row of trainer.session.algorithms) {
        algorithms.set(`${row.pass} ${row.shape}`, row);
      }
    }
  }
  const device = gpu ? 'gpu' : 'cpu';
  return { mode, precision, xla, device, algorithms: [...algorithms.values()], ...threads };
}

/** Threads of a worker. A run with fixed intra-op threads runs one operation at a time and leaves other cores to other runs. */
export function workerThreads(intraOpThreads: number | undefined): ThreadOptions {
  return intraOpThreads === undefined ? {} : { intraOpThreads, interOpThreads: 1 };
}
