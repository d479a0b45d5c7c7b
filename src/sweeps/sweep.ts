import { resolve } from 'node:path';
import { InterruptedError, RunError } from '../base/errors';
import { kernelHost } from '../base/kernel-host';
import type { Precision } from '../engine/hardware';
import type { SessionMode } from '../engine/session';
import type { JobEngine, JobEvent, PrepareJob, RunJob } from './job';
import { runInWorker } from './local-workers';
import type { WorkerOptions } from './local-workers';
import type { Experiment } from '../catalogue/experiment';
import { findAnyRuns, isSameRun } from '../runs/find-runs';
import type { Run } from '../runs/run';
import { readRun } from '../runs/run-file';

/** What is to be run, and how. */
export interface SweepPlan {
  /** As they are to be trained: of their size, with their overrides. */
  readonly experiments: readonly Experiment[];
  /** Every experiment is run with each of them. */
  readonly seeds: readonly number[];
  readonly mode: SessionMode;
  /** What the machine that the first worker runs on computes fastest in, where absent. */
  readonly precision?: Precision;
  /** Whether XLA compiles the steps. */
  readonly xla: boolean;
  /** Threads within an operation, in every run; TensorFlow's own choice where absent. */
  readonly threads?: number;
  /** Where the runs' folders are made. */
  readonly logDir: string;
  readonly dataDir?: string;
}

/** Who does the runs of a sweep: workers on this machine, or those of a cluster. */
export interface Executor {
  /** Asks for the precision and the table of algorithms that all runs are to share. */
  prepare(job: PrepareJob, signal: AbortSignal | undefined): Promise<JobEngine>;
  /** Does every job, and tells what comes of each; ends early, in good order, where the signal says so. */
  run(
    jobs: readonly RunJob[],
    tell: (job: RunJob, event: ExecutorEvent) => void,
    signal: AbortSignal | undefined,
  ): Promise<void>;
}

/** What an executor tells of a job: the worker's own events, and what becomes of the worker. */
export type ExecutorEvent =
  | (JobEvent & { readonly worker?: string })
  /** Begun by a worker, whose name says where the job runs. */
  | { readonly event: 'assigned'; readonly worker: string }
  /** The worker was lost; another one begins the run again. */
  | { readonly event: 'retried'; readonly attempt: number; readonly message: string }
  /** Given up after too many lost workers. */
  | { readonly event: 'lost'; readonly message: string };

/** What has become of a sweep. */
export interface SweepOutcome {
  /** Every finished run, those of before included, in the order of records and seeds. */
  readonly runs: readonly Run[];
  /** Runs that diverged, before or now. They are among the failures, and are not trained again. */
  readonly diverged: readonly Run[];
  readonly failures: readonly { readonly job: RunJob; readonly message: string }[];
  /** Runs that were not begun or not finished because the sweep was stopped. */
  readonly open: number;
  readonly engine: JobEngine;
}

/** What a sweep tells while it goes on. */
export interface SweepWatch {
  /** Stops the sweep. Default: in a cell of our kernel the cell's own signal, elsewhere none. */
  readonly signal?: AbortSignal;
  /** Told once, before the first run: how runs are executed, what is to be done and what lies there from before. */
  readonly onPlan?: (plan: {
    readonly engine: JobEngine;
    readonly jobs: readonly RunJob[];
    readonly finished: readonly Run[];
  }) => void;
  /** Told of everything that becomes of a job, by what carries the jobs out. */
  readonly onEvent?: (job: RunJob, event: ExecutorEvent) => void;
  /** Told of each run that is finished now. */
  readonly onRun?: (run: Run) => void;
}

/**
 * Runs records with several seeds each, every run in a process of its own.
 *
 * Results depend on record, seed, precision, threads and the table of algorithms. All of these are fixed before the first
 * run and are the same for every run, so that it does not matter how many workers there are, in which order they come to
 * the runs, or whether the sweep was stopped in between. Runs in `logDir` that are finished and agree in everything but the
 * table are taken as they are; those that were begun and not finished are gone on with.
 *
 * @throws RunError if a folder cannot be read or written, or no worker can be started
 */
export async function sweep(
  plan: SweepPlan,
  executor: Executor,
  { signal: given, onPlan, onEvent, onRun }: SweepWatch = {},
): Promise<SweepOutcome> {
  // In a cell the stop button is for the workers, too.
  const signal = given ?? kernelHost()?.interruptSignal();
  const { experiments, seeds, mode, precision, xla, threads, dataDir } = plan;
  const logDir = resolve(plan.logDir);
  const data = dataDir === undefined ? {} : { dataDir: resolve(dataDir) };
  const asked = {
    mode,
    xla,
    ...(precision === undefined ? {} : { precision }),
    ...(threads === undefined ? {} : { intraOpThreads: threads }),
  };
  const engine = await executor.prepare(
    { kind: 'prepare', experiments, engine: asked, ...data },
    signal,
  );
  const before = await findAnyRuns(logDir);
  const wanted = experiments.flatMap((experiment) =>
    seeds.map((seed) => ({ experiment, seed, id: idOf(experiment, seed) })),
  );
  const done = new Map<string, Run>();
  const jobs: RunJob[] = [];
  const failures: { job: RunJob; message: string }[] = [];
  for (const { experiment, seed, id } of wanted) {
    const same = before.filter((run) => isSameRun(run, { experiment, seed, ...engine }));
    const finished = same.find(({ result }) => result !== undefined);
    if (finished !== undefined) {
      done.set(id, finished);
      continue;
    }
    const job = { kind: 'run', id, experiment, seed, engine, logDir, ...data } as const;
    const diverged = same.find(({ failure }) => failure !== undefined);
    if (diverged?.failure !== undefined) {
      // The same seed on the same engine diverges again.
      failures.push({ job, message: diverged.failure.message });
      continue;
    }
    const resume = same.at(-1)?.path;
    jobs.push(resume === undefined ? job : { ...job, resume });
  }
  onPlan?.({ engine, jobs, finished: [...done.values()] });
  const reading: Promise<void>[] = [];
  const take = async (job: RunJob, folder: string): Promise<void> => {
    const run = await readRun(folder).catch((error: unknown) => {
      if (!(error instanceof RunError)) throw error;
      failures.push({ job, message: error.message });
      return null;
    });
    if (run === null) return;
    if (run?.result === undefined) {
      failures.push({ job, message: `sweep: ${folder} holds no finished run.` });
      return;
    }
    done.set(job.id, run);
    onRun?.(run);
  };
  if (jobs.length > 0) {
    await executor.run(
      jobs,
      (job, event) => {
        onEvent?.(job, event);
        if (event.event === 'done') reading.push(take(job, event.folder));
        if (event.event === 'failed' || event.event === 'lost') {
          failures.push({ job, message: event.message });
        }
      },
      signal,
    );
  }
  await Promise.all(reading);
  const after = failures.length === 0 ? [] : await findAnyRuns(logDir);
  return {
    runs: wanted.flatMap(({ id }) => done.get(id) ?? []),
    diverged: failures.flatMap(({ job: { experiment, seed } }) =>
      after.filter(
        (run) => run.failure !== undefined && isSameRun(run, { experiment, seed, ...engine }),
      ),
    ),
    failures,
    open: wanted.length - done.size - failures.length,
    engine,
  };
}

/** Names a run within its sweep; runs of one record with other overrides have other names. */
function idOf({ name, scale = 'full', overrides = [] }: Experiment, seed: number): string {
  return [name, scale, ...overrides, seed].join('-');
}

/** What can be chosen about {@link localExecutor}. */
export interface LocalOptions extends Pick<WorkerOptions, 'command'> {
  /** Processes at the same time. */
  readonly workers: number;
  /** How often a run whose worker crashed is begun again. */
  readonly retries: number;
  /** Names of GPUs for `CUDA_VISIBLE_DEVICES`, given to the workers in turn; none where TensorFlow runs on the CPU. */
  readonly gpus?: readonly string[];
}

/** Runs jobs in worker processes on this machine: a process a run, so that a crash loses one run and no more. */
export function localExecutor({ workers, retries, command, gpus = [] }: LocalOptions): Executor {
  const options = (worker: number, signal: AbortSignal | undefined): WorkerOptions => ({
    ...(command === undefined ? {} : { command }),
    ...(signal === undefined ? {} : { signal }),
    ...(gpus.length === 0 ? {} : { env: { CUDA_VISIBLE_DEVICES: gpus[worker % gpus.length] } }),
  });
  return {
    async prepare(job, signal) {
      return preparedEngine(await runInWorker(job, () => undefined, options(0, signal)));
    },
    async run(jobs, tell, signal) {
      const queue = [...jobs];
      const work = async (worker: number): Promise<void> => {
        for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
          if (signal?.aborted === true) return;
          await runOne(job, worker);
        }
      };
      const runOne = async (job: RunJob, worker: number): Promise<void> => {
        const name = String(worker + 1);
        let given = job;
        for (let attempt = 1; ; attempt++) {
          if (signal?.aborted === true) return;
          tell(job, { event: 'assigned', worker: name });
          try {
            const onEvent = (event: JobEvent): void => {
              if (event.event === 'started') given = { ...job, resume: event.folder };
              tell(job, { ...event, worker: name });
            };
            const end = await runInWorker(given, onEvent, options(worker, signal));
            if (end !== undefined) tell(job, { ...end, worker: name });
            return;
          } catch (error) {
            if (!(error instanceof RunError)) throw error;
            const { message } = error;
            if (attempt > retries) {
              tell(job, { event: 'lost', message });
              return;
            }
            tell(job, { event: 'retried', attempt, message });
          }
        }
      };
      await Promise.all(
        Array.from({ length: Math.min(workers, jobs.length) }, (_, worker) => work(worker)),
      );
    },
  };
}

/**
 * How runs are to be executed, as a worker was asked to find out.
 *
 * @throws InterruptedError if it was stopped
 * @throws RunError if it could not; says what it said
 */
export function preparedEngine(end: JobEvent | undefined): JobEngine {
  if (end?.event === 'prepared') return end.engine;
  if (end === undefined || end.event === 'stopped') throw new InterruptedError('Interrupted.');
  throw new RunError('message' in end ? end.message : `sweep: a worker said "${end.event}".`);
}
