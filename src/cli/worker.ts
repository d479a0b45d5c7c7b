import { createInterface } from 'node:readline';
import { Cifar10FastError, InterruptedError, RunError, UsageError } from '../base/errors';
import { loadCifar10 } from '../data/cifar10';
import type { Job, JobEvent, PrepareJob, RunJob } from '../sweeps/job';
import type { FinishedRun } from '../runs/run';
import { resumeRun, trainExperiment } from '../runs/train';
import type { RunOptions } from '../runs/train-to-end';
import { prepareEngine } from '../sweeps/prepare-engine';
import type { Command } from './flags';

/** `worker`: one run of a sweep, in a process of its own. */
export const worker: Command = {
  name: 'worker',
  positionals: [],
  flags: {},
  examples: ['worker < job.json'],
  run: async () => {
    // Whoever started this process stops it by closing its standard input, and by ending: no worker outlives its sweep.
    // A Ctrl-C on the terminal reaches every process there; what follows from it is the sweep's to say.
    const ignore = (): void => undefined;
    process.on('SIGINT', ignore);
    const controller = new AbortController();
    const lines = createInterface({ input: process.stdin });
    const first = new Promise<string | undefined>((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(undefined));
    });
    lines.once('close', () => controller.abort(new InterruptedError('Interrupted.')));
    const tell = (event: JobEvent): void => {
      process.stdout.write(`${JSON.stringify(event)}\n`);
    };
    try {
      const text = await first;
      const job = text === undefined ? undefined : readJob(text);
      if (job === undefined) throw new UsageError('worker: standard input has no job.');
      if (job.kind === 'prepare') await prepare(job, controller.signal, tell);
      else await train(job, controller.signal, tell);
      return 0;
    } catch (error) {
      if (error instanceof UsageError || !(error instanceof Cifar10FastError)) throw error;
      const isStopped = error instanceof InterruptedError;
      tell({ event: isStopped ? 'stopped' : 'failed', message: error.message });
      return isStopped ? 130 : 1;
    } finally {
      process.off('SIGINT', ignore);
      lines.close();
      // Otherwise an open pipe keeps the process alive.
      process.stdin.destroy();
    }
  },
};

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

async function prepare(
  job: PrepareJob,
  signal: AbortSignal,
  tell: (event: JobEvent) => void,
): Promise<void> {
  const { dataDir } = job;
  tell({
    event: 'prepared',
    engine: await prepareEngine(job, () => loadCifar10({ dataDir, signal }), signal),
  });
}

async function train(
  { experiment, seed, engine, dataDir, logDir, resume, checkpoints }: RunJob,
  signal: AbortSignal,
  tell: (event: JobEvent) => void,
): Promise<void> {
  const { epochs } = experiment.run;
  let isBegun = false;
  const options: RunOptions = {
    data: await loadCifar10({ dataDir, signal }),
    signal,
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
  // What one thread does not need for operations at the same time belongs to the workers beside it.
  const threads = engine.intraOpThreads === undefined ? {} : { interOpThreads: 1 };
  const start = (): Promise<FinishedRun> =>
    trainExperiment(experiment, { ...options, seed, engine: { ...engine, ...threads }, logDir });
  const continued = async (folder: string): Promise<FinishedRun> => {
    try {
      return await resumeRun(folder, options);
    } catch (error) {
      // Its checkpoints are damaged, or the machine changed: the run starts again, in a folder of its own.
      if (!(error instanceof RunError) || isBegun) throw error;
      return start();
    }
  };
  const { path = logDir, result } = await (resume === undefined ? start() : continued(resume));
  tell({ event: 'done', folder: path, result });
}
