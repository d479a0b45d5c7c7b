import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { InterruptedError, RunError } from '../base/errors';
import type { RunJob } from './job';
import { isEnd } from './local-workers';
import { preparedEngine } from './sweep';
import type { Executor, ExecutorEvent } from './sweep';

/** What can be chosen about {@link connectRay}. */
export interface RayOptions {
  /** As Ray knows it: `HOST:PORT`, `auto`, or `ray://HOST:PORT`. */
  readonly address: string;
  /** How often a run whose worker or node was lost is begun again. */
  readonly retries: number;
  /** GPUs of a run, or a part of one; where absent, one if the cluster has any. */
  readonly gpusPerRun?: number;
  /** Python with Ray in it; where absent, `CIFAR10_FAST_RAY_PYTHON` of the environment, else that of `.venv-ray`. */
  readonly python?: string;
}

/** A Ray cluster that does the runs of a sweep. */
export interface RayCluster {
  readonly executor: Executor;
  readonly nodes: number;
  readonly cpus: number;
  readonly gpusPerRun: number;
  /** Leaves the cluster; runs that are still open there are stopped. */
  close(): Promise<void>;
}

/** What the driver says, beside the events of jobs. */
type DriverEvent =
  | {
      readonly event: 'connected';
      readonly nodes: number;
      readonly cpus: number;
      readonly gpusPerRun: number;
    }
  | { readonly event: 'fatal'; readonly message: string }
  | (ExecutorEvent & { readonly job: string });

const root = resolve(__dirname, '../..');

/** Variables that change what TensorFlow computes or how: a node is to have them as this process does. */
const passedOn = /^(?:TF|ONEDNN|DNNL|XLA)_/;

/**
 * Joins a Ray cluster through a driver in Python, `cluster/ray_sweep.py`. Ray schedules the runs, begins them again where
 * a node is lost, and carries their folders back; each run is this package's command `worker` on its node. Close it.
 *
 * @throws RunError if there is no Python with Ray, or no cluster at the address
 * @throws InterruptedError later, from the executor, if the signal stops it while it finds out how to run
 */
export async function connectRay({
  address,
  retries,
  gpusPerRun,
  python = process.env['CIFAR10_FAST_RAY_PYTHON'] ?? join(root, '.venv-ray/bin/python'),
}: RayOptions): Promise<RayCluster> {
  const install =
    'Install it by "npm run ray:setup", or name the Python of your cluster in CIFAR10_FAST_RAY_PYTHON.';
  if (python.includes('/') && !existsSync(python)) {
    throw new RunError(`sweep: Ray is not installed: there is no ${python}. ${install}`);
  }
  const child = spawn(python, ['-u', join(root, 'cluster/ray_sweep.py')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Ray would otherwise ask the network for its version and tell of its use.
    env: { RAY_USAGE_STATS_ENABLED: '0', RAY_DEDUP_LOGS: '0', ...process.env },
    // A Ctrl-C on the terminal is for this process; the driver is told by the end of its input.
    detached: true,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  child.stdin.on('error', () => undefined);
  const ended = new Promise<string>((done) => {
    child.on('error', (error) => done(error.message));
    child.on('close', (code, signal) =>
      done(signal === null ? `exit code ${code}` : `signal ${signal}`),
    );
  });
  let listener: (event: DriverEvent) => void = () => undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) listener(JSON.parse(line) as DriverEvent);
  });
  const send = (message: object): void => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  /** Listens until `hear` gives something; fails if the driver ends before. */
  const listen = async <T>(hear: (event: DriverEvent) => T | undefined): Promise<T> => {
    const heard = new Promise<T>((done, fail) => {
      listener = (event) => {
        if (event.event === 'fatal') {
          const hint = event.message.includes('has no Ray') ? ` ${install}` : '';
          fail(new RunError(`sweep: ${event.message}.${hint}`));
          return;
        }
        const result = hear(event);
        if (result !== undefined) done(result);
      };
    });
    const crash = ended.then((how): never => {
      throw new RunError(`sweep: the driver of Ray ended: ${how}.\n${said.trim()}`.trim());
    });
    crash.catch(() => undefined);
    return Promise.race([heard, crash]);
  };

  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => passedOn.test(name)),
  );
  send({ address, root, env, retries, gpus: gpusPerRun ?? null });
  const { nodes, cpus, ...cluster } = await listen((event) =>
    event.event === 'connected' ? event : undefined,
  );

  /** Waits for the end of `work`, or of the driver once the signal has stopped it. */
  const stoppable = async (work: Promise<void>, signal: AbortSignal | undefined): Promise<void> => {
    const stop = (): void => {
      child.stdin.end();
    };
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted === true) stop();
    try {
      await work;
    } catch (error) {
      if (signal?.aborted !== true) throw error;
      await ended;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  };

  const executor: Executor = {
    async prepare(job, signal) {
      let engine: ReturnType<typeof preparedEngine> | undefined;
      send({ jobs: [{ ...job, id: 'prepare' }] });
      const heard = listen((event) => {
        if (!('job' in event) || event.job !== 'prepare') return undefined;
        if (event.event === 'lost') return { event: 'failed', message: event.message } as const;
        return isEnd(event) ? event : undefined;
      });
      await stoppable(
        heard.then((end) => {
          engine = preparedEngine(end);
        }),
        signal,
      );
      if (engine === undefined) throw new InterruptedError('Interrupted.');
      return engine;
    },
    async run(jobs, tell, signal) {
      const open = new Map<string, RunJob>(jobs.map((job) => [job.id, job]));
      // A folder of this machine is out of a node's reach, and a run travels back with one checkpoint: its last.
      send({ jobs: jobs.map(({ resume: _resume, ...job }) => ({ ...job, checkpoints: 1 })) });
      const over = listen((event) => {
        if (!('job' in event)) return undefined;
        const job = open.get(event.job);
        if (job === undefined) return undefined;
        tell(job, event);
        if (event.event === 'lost' || isEnd(event)) open.delete(job.id);
        return open.size === 0 ? true : undefined;
      });
      await stoppable(
        over.then(() => undefined),
        signal,
      );
    },
  };
  return {
    ...cluster,
    nodes,
    cpus,
    executor,
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}
