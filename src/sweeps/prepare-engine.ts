import type { Cifar10 } from '../data/cifar10';
import type { AlgorithmRow } from '../engine/conv-algorithm';
import { fastestPrecision, readHardware } from '../engine/hardware';
import { loadTensorflow } from '../engine/tensorflow';
import { prepareRun } from '../runs/prepare';
import type { JobEngine, PrepareJob } from './job';

/**
 * Settles how all runs of a sweep are executed: the precision, if none is asked for, and the algorithm of every convolution,
 * measured once. Runs that share it give the same results on every worker.
 *
 * @param load gives the images; called only if there is something to measure
 * @throws InterruptedError if the signal stops it
 */
export async function prepareEngine(
  { experiments, engine }: Pick<PrepareJob, 'experiments' | 'engine'>,
  load: () => Promise<Cifar10>,
  signal?: AbortSignal,
): Promise<JobEngine> {
  const { mode, xla, intraOpThreads } = engine;
  const threads = intraOpThreads === undefined ? {} : { intraOpThreads };
  const { gpu } = loadTensorflow(threads);
  const fastest = mode === 'eager' ? 'fp32' : fastestPrecision(readHardware(), gpu);
  const { precision = fastest } = engine;
  const algorithms = new Map<string, AlgorithmRow>();
  // On a GPU cuDNN chooses, in fp16 and in an eager session there is one algorithm.
  if (mode === 'captured' && precision !== 'fp16' && !gpu) {
    const data = await load();
    for (const experiment of experiments) {
      signal?.throwIfAborted();
      const known = [...algorithms.values()];
      const { trainer } = prepareRun(experiment, data, 0, {
        engine: { mode, precision, xla, algorithms: known, ...threads },
        ...(signal === undefined ? {} : { signal }),
      });
      try {
        await trainer.warmUp();
        // A convolution has three passes of one shape, each with an algorithm of its own.
        for (const row of trainer.session.algorithms) {
          algorithms.set(`${row.pass} ${row.shape}`, row);
        }
      } finally {
        trainer.dispose();
      }
    }
  }
  return { mode, precision, xla, algorithms: [...algorithms.values()], ...threads };
}
