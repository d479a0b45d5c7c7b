import { loadCifar10, verifyCifar10 } from '../data/cifar10';
import type { Cifar10 } from '../data/cifar10';
import type { DataOptions, DataProgress } from '../data/download';
import { displayProgress } from './terminal';
import type { Display } from './terminal';
import type { Command, Given } from './flags';
import { interruptSignal } from './stop-signals';

/** Progress of fetching or reading, on one line. The source comes last, so that a narrow terminal cuts off nothing else. */
function dataLine({ phase, source, doneBytes, totalBytes }: DataProgress): string {
  const megabytes = (count: number): string => `${(count / 1e6).toFixed(1)} MB`;
  const of = totalBytes === undefined ? '' : ` of ${megabytes(totalBytes)}`;
  return `CIFAR-10: ${phase} ${megabytes(doneBytes)}${of}, ${source}`;
}

/** Loads CIFAR-10 from `--data-dir`, or as {@link loadCifar10} finds it, and shows progress on the display. */
export async function loadData(
  given: Given,
  display: Display,
  options: Pick<DataOptions, 'signal' | 'offline'>,
): Promise<Cifar10> {
  const found = await loadCifar10({
    ...options,
    dataDir: given.values.get('data-dir'),
    onNotice: (message) => display.note(message),
    onProgress: (at) => display.show(dataLine(at)),
  });
  display.clear();
  return found;
}

/** `data`: CIFAR-10, fetched and verified. */
export const data: Command = {
  name: 'data',
  positionals: [],
  flags: {
    verify: { help: 'only compare the six files with their SHA-256; fetch nothing' },
    'data-dir': { value: 'DIR', help: 'a folder with the official files, instead of the cache' },
    offline: { help: 'use no network' },
    json: { help: 'one JSON object, for programs' },
  },
  examples: ['data', 'data --verify', 'data --data-dir ~/datasets/cifar10'],
  run: async (given) => {
    const { values, switches } = given;
    const isJson = switches.has('json');
    const progress = displayProgress();
    const { signal, release } = interruptSignal((text) => progress.note(text));
    try {
      if (switches.has('verify')) {
        const checks = await verifyCifar10({ dataDir: values.get('data-dir'), signal });
        if (isJson) process.stdout.write(`${JSON.stringify(checks)}\n`);
        else {
          for (const { name, state, sha256, problem } of checks) {
            const right = state === 'good' ? `${sha256}` : problem;
            process.stdout.write(`${name.padEnd(18)} ${state.padEnd(8)} ${right}\n`);
          }
        }
        return checks.every(({ state }) => state === 'good') ? 0 : 1;
      }
      const found = await loadData(given, progress, { signal, offline: switches.has('offline') });
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
