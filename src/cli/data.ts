import { loadCifar10, verifyCifar10 } from '../data/cifar10';
import { bytesText } from './display';
import { displayProgress } from './display';
import type { Command } from './flags';
import { interruptSignal } from './interrupt';

/** `data`: CIFAR-10, fetched and verified. */
export const data: Command = {
  name: 'data',
  summary: 'Fetches CIFAR-10 into the cache unless it is there, and verifies it.',
  positionals: [],
  flags: {
    verify: { help: 'only compare the six files with their SHA-256; fetch nothing' },
    'data-dir': { value: 'DIR', help: 'a folder with the official files, instead of the cache' },
    offline: { help: 'use no network' },
    json: { help: 'one JSON object, for programs' },
  },
  examples: ['data', 'data --verify', 'data --data-dir ~/datasets/cifar10'],
  run: async ({ values, switches }) => {
    const dataDir = values.get('data-dir');
    const isJson = switches.has('json');
    const { signal, release } = interruptSignal();
    const progress = displayProgress();
    try {
      if (switches.has('verify')) {
        const checks = await verifyCifar10({ dataDir, signal });
        if (isJson) process.stdout.write(`${JSON.stringify(checks)}\n`);
        else {
          for (const { name, state, sha256, problem } of checks) {
            const right = state === 'good' ? `${sha256}` : problem;
            process.stdout.write(`${name.padEnd(18)} ${state.padEnd(8)} ${right}\n`);
          }
        }
        return checks.every(({ state }) => state === 'good') ? 0 : 1;
      }
      const found = await loadCifar10({
        dataDir,
        signal,
        offline: switches.has('offline'),
        onNotice: (message) => progress.note(message),
        onProgress: ({ phase, source, doneBytes, totalBytes }) => {
          const of = totalBytes === undefined ? '' : ` of ${bytesText(totalBytes)}`;
          progress.show(`CIFAR-10: ${phase} ${source}: ${bytesText(doneBytes)}${of}`);
        },
      });
      progress.clear();
      const counts = { train: found.train.labels.length, valid: found.valid.labels.length };
      process.stdout.write(
        isJson
          ? `${JSON.stringify({ source: found.source, ...counts })}\n`
          : `CIFAR-10: ${counts.train} training and ${counts.valid} test images, verified, in ${found.source}\n`,
      );
      return 0;
    } finally {
      progress.clear();
      release();
    }
  },
};
