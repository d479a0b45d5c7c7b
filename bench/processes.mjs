// Starts worker processes and sends them requests; bench/worker.mjs and the Python peers answer.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const venv = join(dirname(here), '.venv-peers');

/** The findings of `npm run bench:peers`: PyTorch's version and whether torch.compile works; undefined without PyTorch. */
export function readPeers() {
  const stamp = join(venv, 'peers.json');
  return existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : undefined;
}

/** The workers written in Python. */
const peerFiles = {
  torch: 'resnet9_torch.py',
  'torch-airbench': 'airbench_torch.py',
  'torch-model': 'models_torch.py',
  'torch-speedrun': 'speedrun_torch.py',
};

/** The command that runs a Python file of bench/peers. */
export const peerCommand = (file, ...args) => [
  join(venv, 'bin/python'),
  join(here, 'peers', file),
  ...args,
];

/** The environment of a peer or worker, which hides GPUs, since the comparison is on CPUs. */
export const peerEnvironment = () => ({
  ...process.env,
  CUDA_VISIBLE_DEVICES: '-1',
  TORCHINDUCTOR_CACHE_DIR: join(venv, 'inductor'),
});

/** The command that runs a worker of bench/workers or a Python peer. */
export function commandOf(worker, config) {
  const text = JSON.stringify(config);
  return Object.hasOwn(peerFiles, worker)
    ? peerCommand(peerFiles[worker], text)
    : [process.execPath, join(here, `workers/${worker}.mjs`), text];
}

/**
 * Starts a process and waits for the end of its burn-in.
 *
 * @returns `ready`, its message after the burn-in; `ask(message)`, which resolves with its answer; `residentBytes()`; `close()`
 * @throws Error with the end of its standard error, if it exits before it answers
 */
export async function startWorker(worker, config) {
  const [command, ...args] = commandOf(worker, config);
  const child = spawn(command, args, { env: peerEnvironment() });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint = (complaint + text).slice(-2000);
  });
  // Ignores failed writes to a process that has exited: reading its answer reports that.
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
      // A process that has exited holds no memory; the next `ask` reports the exit.
      return existsSync(statm) ? 4096 * Number(readFileSync(statm, 'utf8').split(' ')[1]) : 0;
    },
    close: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
