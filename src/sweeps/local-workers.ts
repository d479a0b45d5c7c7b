import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { RunError } from '../base/errors';
import type { Job, JobEvent } from './job';

/** How worker processes are started. */
export interface WorkerOptions {
  /** Program and arguments. Default: this package's command `worker`. */
  readonly command?: readonly string[];
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Stops the worker after its step. */
  readonly signal?: AbortSignal;
}

/** The command line of a worker of this very package, on this very Node. */
function workerCommand(): readonly string[] {
  return [process.execPath, join(__dirname, '../cli/main.js'), 'worker'];
}

/** The last event of a job: how it ended. */
export type JobEnd = Extract<JobEvent, { event: 'prepared' | 'done' | 'stopped' | 'failed' }>;

/**
 * Gives a job to a worker, a process of its own, and waits for its end.
 *
 * @param onEvent called with every event but the last
 * @returns the worker's last word; `undefined` where it ended without one and the signal had been given
 * @throws RunError if the worker ended without a last word, by a crash: says what it wrote on standard error
 */
export async function runInWorker(
  job: Job,
  onEvent: (event: JobEvent) => void,
  { command = workerCommand(), env = {}, signal }: WorkerOptions = {},
): Promise<JobEnd | undefined> {
  const [program, ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { stdin, stdout, stderr } = child;
  // A worker that has ended reads no more; its end is reported below.
  stdin.on('error', () => undefined);
  stdin.write(`${JSON.stringify(job)}\n`);
  const stop = (): void => {
    stdin.end();
  };
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted === true) stop();

  let end: JobEnd | undefined;
  createInterface({ input: stdout }).on('line', (line) => {
    const event = parseEvent(line);
    if (event === undefined) return;
    if (!isEnd(event)) {
      onEvent(event);
      return;
    }
    end = event;
    stop();
  });
  let said = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  try {
    const how = await new Promise<string>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signalName) =>
        resolve(signalName === null ? `exit code ${code}` : `signal ${signalName}`),
      );
    });
    if (end !== undefined || signal?.aborted === true) return end;
    const memory = how === 'signal SIGKILL' ? ', as where memory runs out' : '';
    const words = said.trim();
    throw new RunError(
      `sweep: a worker crashed: ${how}${memory}.${words === '' ? '' : `\n${words}`}`,
    );
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** What a line of a worker says; `undefined` where it says nothing to us, as what a library prints. */
function parseEvent(line: string): JobEvent | undefined {
  try {
    const event = JSON.parse(line) as Partial<JobEvent> | null;
    return typeof event?.event === 'string' ? (event as JobEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an event is the last of its job. */
export function isEnd(event: { readonly event: string }): event is JobEnd {
  return ['prepared', 'done', 'stopped', 'failed'].includes(event.event);
}
