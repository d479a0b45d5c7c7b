// The side of a measured process that asks; bench/worker.mjs and the Python peer are the side that answers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const venv = join(dirname(here), '.venv-peers');

/** What `npm run bench:peers` found: PyTorch's version and whether torch.compile works; undefined without PyTorch. */
export function readPeers() {
  const stamp = join(venv, 'peers.json');
  return existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : undefined;
}

/** The workers in Python. */
const peerFiles = {
  torch: 'resnet9_torch.py',
  'torch-airbench': 'airbench_torch.py',
  'torch-model': 'models_torch.py',
  'torch-speedrun': 'speedrun_torch.py',
};

/** A command that runs one of bench/workers, or a Python peer, for {@link startWorker}. */
export function commandOf(worker, config) {
  const text = JSON.stringify(config);
  return Object.hasOwn(peerFiles, worker)
    ? [join(venv, 'bin/python'), join(here, 'peers', peerFiles[worker]), text]
    : [process.execPath, join(here, `workers/${worker}.mjs`), text];
}

/**
 * Starts a process and waits for its burn-in.
 *
 * @returns `ready`, what it said then; `ask(message)`, its answer; `residentBytes()`; and `close()`
 * @throws Error with the end of what it wrote to standard error, if it ends before it answers
 */
export async function startWorker(worker, config) {
  const [command, ...args] = commandOf(worker, config);
  const child = spawn(command, args, {
    // The comparison is of processors: a GPU that TensorFlow could use stays out of it.
    env: {
      ...process.env,
      CUDA_VISIBLE_DEVICES: '-1',
      TORCHINDUCTOR_CACHE_DIR: join(venv, 'inductor'),
    },
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint = (complaint + text).slice(-2000);
  });
  // A worker that is gone cannot be written to; that it is gone is told where its answer is missing.
  child.stdin.on('error', () => {});
  const ended = once(child, 'close').catch((error) => [error.message]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  const answer = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) {
        const [code, signal] = await ended;
        const killed = signal === 'SIGKILL' ? ' (killed: out of memory?)' : '';
        throw new Error(`${worker} ended with ${signal ?? code}${killed}\n${complaint}`);
      }
      if (value.startsWith('{')) return JSON.parse(value);
    }
  };
  return {
    ready: await answer(),
    ask: (message) => {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      return answer();
    },
    residentBytes: () => {
      const statm = `/proc/${child.pid}/statm`;
      // One that is gone holds nothing; that it is gone comes out when it is asked.
      return existsSync(statm) ? 4096 * Number(readFileSync(statm, 'utf8').split(' ')[1]) : 0;
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
