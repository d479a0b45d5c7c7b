import { resolve } from 'node:path';
import { InterruptedError, RunError } from '../base/errors';
import { kernelHost } from '../base/kernel-host';
import type { Precision } from '../engine/hardware';
import type { SessionMode } from '../engine/session';
import type { JobEngine, JobEvent, PrepareJob, RunJob } from './job';
import { createWorker } from './local-workers';
import type { Worker, WorkerOptions } from './local-workers';
import type { Experiment } from '../catalogue/experiment';
import { findAnyRuns, isSameRun } from '../runs/find-runs';
import type { Run } from '../runs/run';
import { readRun } from '../runs/run-file';

/** The runs of a sweep, and how they are executed. */
export interface SweepPlan {
  /** Scaled and with overrides applied. */
  readonly experiments: readonly Experiment[];
  /** Every experiment runs with each seed. */
  readonly seeds: readonly number[];
  readonly mode: SessionMode;
  /** Default: the fastest on the first worker's machine. */
  readonly precision?: Precision;
  /** Whether XLA compiles the steps. */
  readonly xla: boolean;
  /** Threads within an operation, in every run. Default: TensorFlow's choice. */
  readonly threads?: number;
  /** The folder in which the runs' folders are created. */
  readonly logDir: string;
  readonly dataDir?: string;
}

/** Executes the runs of a sweep: with workers on this machine or on a cluster. */
export interface Executor {
  /** Determines the precision and the table of algorithms that all runs share. */
  prepare(job: PrepareJob, signal: AbortSignal | undefined): Promise<JobEngine>;
  /** Executes every job and reports its events; stops early if the signal is aborted. */
  run(
    jobs: readonly RunJob[],
    tell: (job: RunJob, event: ExecutorEvent) => void,
    signal: AbortSignal | undefined,
  ): Promise<void>;
  /** Frees what `prepare` has kept for `run`; the executor can be used again. */
  release?(): Promise<void>;
}

/** Events of a job: those its worker sends, and those about the worker. */
export type ExecutorEvent =
  | (JobEvent & { readonly worker?: string })
  /** A worker has taken the job; its name identifies where it runs. */
  | { readonly event: 'assigned'; readonly worker: string }
  /** The worker was lost; another one retries the run. */
  | { readonly event: 'retried'; readonly attempt: number; readonly message: string }
  /** Given up after too many lost workers. */
  | { readonly event: 'lost'; readonly message: string };

/** The outcome of a sweep. */
export interface SweepOutcome {
  /** Every finished run, including earlier ones, in order of experiments and seeds. */
  readonly runs: readonly Run[];
  /** Runs that diverged, earlier or now. They are included in `failures`, and are not retrained. */
  readonly diverged: readonly Run[];
  readonly failures: readonly { readonly job: RunJob; readonly message: string }[];
  /** The number of runs left unfinished because the sweep was stopped. */
  readonly open: number;
  readonly engine: JobEngine;
}

/** Callbacks of a sweep. */
export interface SweepWatch {
  /** Stops the sweep. Default: the cell's own signal in a cell of our kernel, otherwise none. */
  readonly signal?: AbortSignal;
  /**
   * Called with a sentence about each file or run in `logDir` that is damaged or no run, see `FindOptions`, and about each
   * unfinished run that could not be resumed.
   */
  readonly onNotice?: (text: string) => void;
  /** Called once, before the first run, with how runs are executed, the jobs, and the runs finished earlier. */
  readonly onPlan?: (plan: {
    readonly engine: JobEngine;
    readonly jobs: readonly RunJob[];
    readonly finished: readonly Run[];
  }) => void;
  /** Called with every event of a job. */
  readonly onEvent?: (job: RunJob, event: ExecutorEvent) => void;
  /** Called with each run that finishes. */
  readonly onRun?: (run: Run) => void;
}

/**
 * Runs each experiment with several seeds, in separate processes.
 *
 * Results depend on experiment, seed, precision, threads and the table of algorithms. These are fixed before the first run
 * and shared by all, so neither the number of workers nor the order of runs nor an interruption changes a result. Finished
 * runs in `logDir` that match in everything but the table are not repeated; unfinished ones are resumed.
 *
 * @throws RunError if a folder cannot be read or written, or no worker can be started
 */
export async function sweep(
  plan: SweepPlan,
  executor: Executor,
  watch: SweepWatch = {},
): Promise<SweepOutcome> {
  try {
    return await execute(plan, executor, watch);
  } finally {
    await executor.release?.();
  }
}

async function execute(
  plan: SweepPlan,
  executor: Executor,
  { signal: given, onNotice = () => undefined, onPlan, onEvent, onRun }: SweepWatch,
): Promise<SweepOutcome> {
  // In a notebook cell, the stop button also stops the workers.
  const signal = given ?? kernelHost()?.interruptSignal();
  const { experiments, mode, precision, xla, threads, dataDir } = plan;
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
  const all = jobsOf(plan, { engine, logDir, ...data });
  const { done, jobs, diverged, failures } = divided(all, await findAnyRuns(logDir, { onNotice }));
  onPlan?.({ engine, jobs, finished: [...done.values()] });
  const reading: Promise<void>[] = [];
  const take = async (job: RunJob, folder: string): Promise<void> => {
    try {
      const run = await readRun(folder);
      if (run?.result === undefined) throw new RunError(`sweep: ${folder} has no finished run.`);
      done.set(job.id, run);
      onRun?.(run);
    } catch (error) {
      if (!(error instanceof RunError)) throw error;
      failures.push({ job, message: error.message });
    }
  };
  const folders = new Map<string, string>();
  const keepDiverged = async (folder: string | undefined): Promise<void> => {
    const run = folder === undefined ? undefined : await readRun(folder).catch(() => undefined);
    if (run?.failure !== undefined) diverged.push(run);
  };
  if (jobs.length > 0) {
    await executor.run(
      jobs,
      (job, event) => {
        onEvent?.(job, event);
        if (event.event === 'notice') onNotice(event.message);
        if (event.event === 'started') folders.set(job.id, event.folder);
        if (event.event === 'done') reading.push(take(job, event.folder));
        if (event.event === 'failed' || event.event === 'lost') {
          failures.push({ job, message: event.message });
          reading.push(keepDiverged(folders.get(job.id)));
        }
      },
      signal,
    );
  }
  await Promise.all(reading);
  return {
    runs: all.flatMap(({ id }) => done.get(id) ?? []),
    diverged,
    failures,
    open: all.length - done.size - failures.length,
    engine,
  };
}

/** A job for every experiment and seed. */
function jobsOf(
  { experiments, seeds }: SweepPlan,
  shared: Pick<RunJob, 'engine' | 'logDir' | 'dataDir'>,
): RunJob[] {
  return experiments.flatMap((experiment) =>
    seeds.map((seed) => {
      const id = idOf(experiment, seed);
      return { kind: 'run', id, experiment, seed, ...shared } as const;
    }),
  );
}

function isRunOf({ experiment, seed, engine }: RunJob, run: Run): boolean {
  return isSameRun(run, { experiment, seed, ...engine });
}

/** Sorts jobs by the runs of earlier sweeps: finished, diverged, still to do. */
function divided(
  all: readonly RunJob[],
  before: readonly Run[],
): {
  readonly done: Map<string, Run>;
  readonly jobs: readonly RunJob[];
  readonly diverged: Run[];
  readonly failures: { job: RunJob; message: string }[];
} {
  const done = new Map<string, Run>();
  const diverged: Run[] = [];
  const failures: { job: RunJob; message: string }[] = [];
  const jobs = all.flatMap((job) => {
    const same = before.filter((run) => isRunOf(job, run));
    const finished = same.find(({ result }) => result !== undefined);
    const failed = same.find((run) => run.failure !== undefined);
    if (finished !== undefined) {
      done.set(job.id, finished);
      return [];
    }
    if (failed?.failure !== undefined) {
      // The same seed on the same engine diverges again.
      diverged.push(failed);
      failures.push({ job, message: failed.failure.message });
      return [];
    }
    const resume = same.at(-1)?.path;
    return [resume === undefined ? job : { ...job, resume }];
  });
  return { done, jobs, diverged, failures };
}

/** Names a run within its sweep. Different overrides of an experiment give different names. */
function idOf({ name, scale = 'full', overrides = [] }: Experiment, seed: number): string {
  return [name, scale, ...overrides, seed].join('-');
}

/** Options of {@link localExecutor}. */
export interface LocalOptions extends Pick<WorkerOptions, 'command'> {
  /** The number of processes that run in parallel. */
  readonly workers: number;
  /** How often a run is retried after its worker crashed. */
  readonly retries: number;
  /** Names of GPUs for `CUDA_VISIBLE_DEVICES`, assigned to the workers in turn; empty if TensorFlow runs on the CPU. */
  readonly gpus?: readonly string[];
}

/**
 * Runs jobs in worker processes on this machine. Each process executes one run after another; runs that differ only in their
 * seed share the recording and compilation of the first. The process that prepared a sweep trains first and reuses its
 * recordings. A crash loses at most the current epoch of one run.
 */
export function localExecutor({ workers, retries, command, gpus = [] }: LocalOptions): Executor {
  const options = (worker: number, signal: AbortSignal | undefined): WorkerOptions => ({
    ...(command === undefined ? {} : { command }),
    ...(signal === undefined ? {} : { signal }),
    ...(gpus.length === 0 ? {} : { env: { CUDA_VISIBLE_DEVICES: gpus[worker % gpus.length] } }),
  });
  let first: Worker | undefined;
  const release = async (): Promise<void> => {
    await first?.close();
    first = undefined;
  };
  return {
    release,
    async prepare(job, signal) {
      await release();
      first = createWorker(options(0, signal));
      return preparedEngine(await first.run(job, () => undefined));
    },
    async run(jobs, tell, signal) {
      const queue = [...jobs];
      const work = async (place: number): Promise<void> => {
        const prepared = place === 0 ? first : undefined;
        const worker = prepared ?? createWorker(options(place, signal));
        try {
          for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
            if (signal?.aborted === true) return;
            await runOne(job, worker, String(place + 1));
          }
        } finally {
          await worker.close();
        }
      };
      const runOne = async (job: RunJob, worker: Worker, name: string): Promise<void> => {
        let given = job;
        for (let attempt = 1; ; attempt++) {
          if (signal?.aborted === true) return;
          tell(job, { event: 'assigned', worker: name });
          try {
            const onEvent = (event: JobEvent): void => {
              if (event.event === 'started') given = { ...job, resume: event.folder };
              tell(job, { ...event, worker: name });
            };
            const end = await worker.run(given, onEvent);
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
        Array.from({ length: Math.min(workers, jobs.length) }, (_, place) => work(place)),
      );
    },
  };
}

/**
 * The engine in a worker's final event of a prepare job.
 *
 * @throws InterruptedError if the worker was stopped
 * @throws RunError if the worker failed, with its message
 */
export function preparedEngine(end: JobEvent | undefined): JobEngine {
  if (end?.event === 'prepared') return end.engine;
  if (end === undefined || end.event === 'stopped') throw new InterruptedError('Interrupted.');
  throw new RunError(
    'message' in end ? end.message : `sweep: a worker sent an unexpected event "${end.event}".`,
  );
}
