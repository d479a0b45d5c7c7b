// Step 6: CIFAR-10 in the cache.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError, beginStep, endStep } from '../output.mjs';
import { logTail, run as runCommand } from '../process.mjs';
import { filesMatch, listFiles, writeStamp } from '../stamps.mjs';

const files = [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`).concat('test_batch.bin');

/** Whether the files were verified once and have kept their sizes and times. Every training run compares the hashes too. */
export const isDone = ({ stamps, batches }) =>
  filesMatch(join(stamps, 'data'), batches, { times: true });

export const missing = (context) =>
  isDone(context) ? undefined : `data: CIFAR-10 was not verified in ${context.cache}`;

/** Reads CIFAR-10 from a folder, in any form that --data-dir accepts, and writes it to the cache. */
const importFolder = `
  const { fetchCifar10 } = require('./dist/data/download.js');
  fetchCifar10({ dataDir: process.argv[1] }).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });`;

async function fetchData(context) {
  const { offline } = context.options;
  if (offline === '') return runCommand(context, 'node', ['dist/cli/main.js', 'data']);
  const cached = await runCommand(context, 'node', ['dist/cli/main.js', 'data', '--offline']);
  return cached.ok ? cached : runCommand(context, 'node', ['-e', importFolder, offline]);
}

export async function run(context) {
  const { stamps, batches } = context;
  beginStep(6, 'data', batches);
  rmSync(join(stamps, 'data'), { force: true });
  if (!(await fetchData(context)).ok)
    throw new SetupError(
      'CIFAR-10 could not be fetched and verified:',
      logTail(context, 8),
      'With its files in a folder: ./kernel-setup.sh --offline DIR. Without it: ./kernel-setup.sh --no-data.',
    );
  writeStamp(context, 'data', listFiles(batches, files, { times: true }));
  endStep('CIFAR-10: 60,000 images, each file verified by its hash');
}
