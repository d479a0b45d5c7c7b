import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { InterruptedError, RunError } from '../base/errors';
import type { RunJob } from './job';
import { isEnd } from './local-workers';
import { preparedEngine } from './sweep';
import type { Executor, ExecutorEvent } from './sweep';

/** Options of {@link connectRay}. */
export interface RayOptions {
  /** Address of the cluster: `HOST:PORT`, `auto`, or `ray://HOST:PORT`. */
  readonly address: string;
  /** How often a run is restarted after its worker or node was lost. */
  readonly retries: number;
  /** GPUs per run; may be a fraction. Default: 1 if the cluster has any. */
  readonly gpusPerRun?: number;
  /** Python with Ray. Default: the environment variable `CIFAR10_FAST_RAY_PYTHON`, else the one in `.venv-ray`. */
  readonly python?: string;
}

/** A Ray cluster that executes the runs of a sweep. */
export interface RayCluster {
  readonly executor: Executor;
  readonly nodes: number;
  readonly cpus: number;
  readonly gpusPerRun: number;
  /** Disconnects from the cluster; stops runs that are still open there. */
  close(): Promise<void>;
}

/** Events of the driver, including those of jobs. */
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

const install =
  'Install it with "npm run ray:setup", or name the Python of your cluster in CIFAR10_FAST_RAY_PYTHON.';

/** Environment variables that affect TensorFlow; passed on from this process to the nodes. */
const passedOn = /^(?:TF|ONEDNN|DNNL|XLA)_/;

/**
 * Connects to a Ray cluster through a Python driver, `cluster/ray_sweep.py`. Ray schedules the runs, restarts them if a node
 * is lost, and copies their folders back; each run is this package's `worker` command on its node. The caller closes it.
 *
 * @throws RunError if Python with Ray is missing, or there is no cluster at the address
 * @throws InterruptedError later, from the executor, if the signal is aborted during `prepare`
 */
export async function connectRay({
  address,
  retries,
  gpusPerRun,
  python = process.env['CIFAR10_FAST_RAY_PYTHON'] || join(root, '.venv-ray/bin/python'),
}: RayOptions): Promise<RayCluster> {
  if (python.includes('/') && !existsSync(python)) {
    throw new RunError(`sweep: Ray is not installed: ${python} does not exist. ${install}`);
  }
  const driver = startDriver(python);
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => passedOn.test(name)),
  );
  driver.send({ address, root, env, retries, gpus: gpusPerRun ?? null });
  const { event: _event, ...cluster } = await driver.listen((event) =>
    event.event === 'connected' ? event : undefined,
  );
  return {
    ...cluster,
    executor: executorOf(driver),
    async close() {
      driver.stop();
      await driver.ended;
    },
  };
}

/** The process of the driver. */
interface Driver {
  send(message: object): void;
  /** Waits until `hear` returns a value. @throws RunError if the driver fails or ends first */
  listen<T>(hear: (event: DriverEvent) => T | undefined): Promise<T>;
  /** Closes its input, which makes it stop open runs and exit. */
  readonly stop: () => void;
  /** How it ended. */
  readonly ended: Promise<string>;
}

function startDriver(python: string): Driver {
  const child = spawn(python, ['-u', join(root, 'cluster/ray_sweep.py')], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Otherwise Ray checks for a new version online and reports usage statistics.
    env: { RAY_USAGE_STATS_ENABLED: '0', RAY_DEDUP_LOGS: '0', ...process.env },
    // Ctrl-C in the terminal must only reach this process; the driver stops when its input closes.
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
  return {
    ended,
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    stop: () => void child.stdin.end(),
    listen(hear) {
      const heard = new Promise<NonNullable<ReturnType<typeof hear>>>((done, fail) => {
        listener = (event) => {
          if (event.event === 'fatal') {
            const hint = event.message.includes('has no Ray') ? ` ${install}` : '';
            fail(new RunError(`sweep: ${event.message}.${hint}`));
            return;
          }
          const result = hear(event);
          if (result !== undefined) done(result as NonNullable<typeof result>);
        };
      });
      const crash = ended.then((how): never => {
        throw new RunError(`sweep: the Ray driver exited: ${how}.\n${said.trim()}`.trim());
      });
      crash.catch(() => undefined);
      return Promise.race([heard, crash]);
    },
  };
}

function executorOf(driver: Driver): Executor {
  /** Waits for `work`, or for the driver to exit once the signal has stopped it. */
  const stoppable = async <T>(
    work: Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> => {
    signal?.addEventListener('abort', driver.stop, { once: true });
    if (signal?.aborted === true) driver.stop();
    try {
      return await work;
    } catch (error) {
      if (signal?.aborted !== true) throw error;
      await driver.ended;
      return undefined;
    } finally {
      signal?.removeEventListener('abort', driver.stop);
    }
  };
  return {
    async prepare(job, signal) {
      driver.send({ jobs: [{ ...job, id: 'prepare' }] });
      const end = driver.listen((event) => {
        if (!('job' in event) || event.job !== 'prepare') return undefined;
        if (event.event === 'lost') return { event: 'failed', message: event.message } as const;
        return isEnd(event) ? event : undefined;
      });
      const engine = await stoppable(end.then(preparedEngine), signal);
      if (engine === undefined) throw new InterruptedError('Interrupted.');
      return engine;
    },
    async run(jobs, tell, signal) {
      const open = new Map<string, RunJob>(jobs.map((job) => [job.id, job]));
      // Nodes cannot read folders of this machine, and a run is copied back with its last checkpoint only.
      driver.send({
        jobs: jobs.map(({ resume: _resume, ...job }) => ({ ...job, checkpoints: 1 })),
      });
      const over = driver.listen((event) => {
        const job = 'job' in event ? open.get(event.job) : undefined;
        if (job === undefined || !('job' in event)) return undefined;
        tell(job, event);
        if (event.event === 'lost' || isEnd(event)) open.delete(job.id);
        return open.size === 0 ? true : undefined;
      });
      await stoppable(over, signal);
    },
  };
}
