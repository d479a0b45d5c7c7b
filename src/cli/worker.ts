import { createInterface } from 'node:readline';
import { Cifar10FastError, InterruptedError, RunError, UsageError } from '../base/errors';
import { loadCifar10 } from '../data/cifar10';
import type { Cifar10 } from '../data/cifar10';
import type { Job, JobEvent, PrepareJob, RunJob } from '../sweeps/job';
import type { FinishedRun } from '../runs/run';
import { isHeld } from '../runs/folder';
import { resumeRun, trainExperiment } from '../runs/train';
import type { RunOptions } from '../runs/train-to-end';
import { TrainerCache } from '../runs/trainer-cache';
import { prepareEngine, workerThreads } from '../sweeps/prepare-engine';
import type { Command } from './flags';

/** `worker`: executes runs of a sweep, one after another, in a separate process. */
export const worker: Command = {
  name: 'worker',
  positionals: [],
  flags: {},
  examples: ['worker < job.json'],
  run: async () => {
    // The parent stops this process by closing its standard input, also by exiting: no worker outlives its sweep.
    // Ctrl-C in the terminal reaches every process there; the sweep decides how to react.
    const ignore = (): void => undefined;
    process.on('SIGINT', ignore);
    const controller = new AbortController();
    const lines = createInterface({ input: process.stdin });
    lines.once('close', () => controller.abort(new InterruptedError('Interrupted.')));
    const desk: Desk = {
      signal: controller.signal,
      trainers: new TrainerCache(),
      load: keptData(controller.signal),
      tell: (event) => {
        process.stdout.write(`${JSON.stringify(event)}\n`);
      },
    };
    try {
      let jobs = 0;
      for await (const text of lines) {
        jobs += 1;
        const job = readJob(text);
        if (job.kind === 'prepare') await prepare(job, desk);
        else await train(job, desk);
      }
      if (jobs === 0) throw new UsageError('worker: standard input has no job.');
      return 0;
    } catch (error) {
      if (error instanceof UsageError || !(error instanceof Cifar10FastError)) throw error;
      const isStopped = error instanceof InterruptedError;
      desk.tell({ event: isStopped ? 'stopped' : 'failed', message: error.message });
      return isStopped ? 130 : 1;
    } finally {
      process.off('SIGINT', ignore);
      desk.trainers.dispose();
      lines.close();
      // Otherwise, an open pipe keeps the process alive.
      process.stdin.destroy();
    }
  },
};

/** State shared by the jobs of a worker. */
interface Desk {
  readonly signal: AbortSignal;
  readonly trainers: TrainerCache;
  /** Loads the images from a folder. Default: the cache. */
  readonly load: (dataDir: string | undefined) => Promise<Cifar10>;
  readonly tell: (event: JobEvent) => void;
}

/** Loads the images once for consecutive jobs with the same folder. */
function keptData(signal: AbortSignal): Desk['load'] {
  let kept: { readonly dataDir: string | undefined; readonly data: Cifar10 } | undefined;
  return async (dataDir) => {
    if (kept === undefined || kept.dataDir !== dataDir) {
      kept = { dataDir, data: await loadCifar10({ dataDir, signal }) };
    }
    return kept.data;
  };
}

function readJob(text: string): Job {
  let job: Partial<Job> | null;
  try {
    job = JSON.parse(text) as Partial<Job> | null;
  } catch (cause) {
    throw new UsageError(`worker: the job is not JSON: ${(cause as Error).message}.`, { cause });
  }
  if (job?.kind !== 'prepare' && job?.kind !== 'run') {
    throw new UsageError('worker: the job has an unknown kind. Known: prepare, run.');
  }
  return job as Job;
}

async function prepare(job: PrepareJob, { signal, trainers, load, tell }: Desk): Promise<void> {
  const engine = await prepareEngine(job, () => load(job.dataDir), trainers, signal);
  tell({ event: 'prepared', engine });
}

async function train(
  { experiment, seed, engine, dataDir, logDir, resume, checkpoints }: RunJob,
  { signal, trainers, load, tell }: Desk,
): Promise<void> {
  const { epochs } = experiment.run;
  let isBegun = false;
  const options: RunOptions = {
    data: await load(dataDir),
    signal,
    trainers,
    ...(checkpoints === undefined ? {} : { checkpoints }),
    onStart: ({ path = logDir }) => {
      isBegun = true;
      tell({ event: 'started', folder: path, epochs });
    },
    onProgress: ({ phase, epoch, done, total, timeSec, acc, leftSec }) => {
      const share = phase === 'train' ? epoch - 1 + done / total : epoch;
      const imagesPerSec = done / timeSec;
      tell({ event: 'progress', done: share / epochs, epoch, epochs, imagesPerSec, acc, leftSec });
    },
    onEpoch: (row) => tell({ event: 'epoch', row }),
  };
  const threads = workerThreads(engine.intraOpThreads);
  const start = (): Promise<FinishedRun> =>
    trainExperiment(experiment, { ...options, seed, engine: { ...engine, ...threads }, logDir });
  const continued = async (folder: string): Promise<FinishedRun> => {
    try {
      return await resumeRun(folder, options);
    } catch (error) {
      if (!(error instanceof RunError) || isBegun || (await isHeld(folder))) throw error;
      // The checkpoints are damaged or the machine has changed: the run starts again in a new folder.
      tell({ event: 'notice', message: `${error.message} Trained again from epoch 1.` });
      return start();
    }
  };
  const { path = logDir, result } = await (resume === undefined ? start() : continued(resume));
  tell({ event: 'done', folder: path, result });
}
