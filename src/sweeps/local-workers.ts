import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RunError } from '../base/errors';
import type { Job, JobEvent } from './job';

/** How worker processes are started. */
export interface WorkerOptions {
  /** Program and arguments. Default: this package's `worker` command. */
  readonly command?: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stops the worker after its step. */
  readonly signal?: AbortSignal;
}

/** The command line of a worker from this package, under the same Node. */
function workerCommand(): readonly string[] {
  return [process.execPath, join(__dirname, '../cli/main.js'), 'worker'];
}

/** The final event of a job: how it ended. */
export type JobEnd = Extract<JobEvent, { event: 'prepared' | 'done' | 'stopped' | 'failed' }>;

/** A worker: a process that runs one job at a time. */
export interface Worker {
  /**
   * Sends it a job and waits for the end. Starts the process if there is none or it has exited.
   *
   * @param onEvent called with every event except the final one
   * @returns the final event; `undefined` if the worker exited without one after the signal was aborted
   * @throws RunError if the worker crashed before its final event; includes its standard error
   */
  run(job: Job, onEvent: (event: JobEvent) => void): Promise<JobEnd | undefined>;
  /** Ends the process, if there is one, and waits for it to exit. */
  close(): Promise<void>;
}

/** Creates a worker. Its process starts with the first job. */
export function createWorker({
  command = workerCommand(),
  env = {},
  signal,
}: WorkerOptions = {}): Worker {
  let live: WorkerProcess | undefined;
  const current = (): WorkerProcess => {
    if (live?.isUsable() !== true) live = startWorker(command, env);
    return live;
  };
  return {
    async run(job, onEvent) {
      const child = current();
      const { stop } = child;
      signal?.addEventListener('abort', stop, { once: true });
      try {
        const answer = child.ask(job, onEvent);
        if (signal?.aborted === true) stop();
        const { end, how } = await answer;
        if (end !== undefined || signal?.aborted === true) return end;
        const memory = how === 'signal SIGKILL' ? ', possibly out of memory' : '';
        const words = child.said();
        throw new RunError(
          `sweep: a worker crashed: ${how}${memory}.${words === '' ? '' : `\n${words}`}`,
        );
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    },
    async close() {
      live?.stop();
      await live?.closed;
    },
  };
}

/** The process of a worker. */
interface WorkerProcess {
  /** Sends it a job. @returns the final event, or how the process ended without one */
  ask(job: Job, onEvent: (event: JobEvent) => void): Promise<Answer>;
  /** Whether it accepts another job. */
  isUsable(): boolean;
  /** Closes its standard input, which makes it stop. */
  readonly stop: () => void;
  /** How it ended. Rejects if it could not be started. */
  readonly closed: Promise<string>;
  /** What it last wrote to standard error. */
  said(): string;
}

interface Answer {
  readonly end?: JobEnd;
  readonly how?: string;
}

function startWorker(
  [program, ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): WorkerProcess {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdin, stdout, stderr } = child;
  // A worker that has exited stops reading; `closed` reports its end.
  stdin.on('error', () => undefined);
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  let hear: (event: JobEvent) => void = () => undefined;
  createInterface({ input: stdout }).on('line', (line) => {
    const event = parseEvent(line);
    if (event !== undefined) hear(event);
  });
  const closed = new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signalName) =>
      resolve(signalName === null ? `exit code ${code}` : `signal ${signalName}`),
    );
  });
  // Callers that await `closed` handle the rejection.
  closed.catch(() => undefined);
  const stop = (): void => {
    stdin.end();
  };
  return {
    stop,
    closed,
    said: () => said.trim(),
    isUsable: () => stdin.writable && child.exitCode === null && child.signalCode === null,
    ask(job, onEvent) {
      said = '';
      let end: JobEnd | undefined;
      const done = new Promise<Answer>((resolve) => {
        hear = (event) => {
          if (!isEnd(event)) return onEvent(event);
          end = event;
          if (event.event === 'done' || event.event === 'prepared') return resolve({ end });
          // The worker exits by itself or because its input closes.
          return stop();
        };
      });
      stdin.write(`${JSON.stringify(job)}\n`);
      return Promise.race([
        done,
        closed.then((how) => (end === undefined ? { how } : { end, how })),
      ]);
    },
  };
}

/** Parses a line from a worker; `undefined` if it is not an event, such as output of a library. */
function parseEvent(line: string): JobEvent | undefined {
  try {
    const event = JSON.parse(line) as Partial<JobEvent> | null;
    return typeof event?.event === 'string' ? (event as JobEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an event is the final one of its job. */
export function isEnd(event: { readonly event: string }): event is JobEnd {
  return ['prepared', 'done', 'stopped', 'failed'].includes(event.event);
}
