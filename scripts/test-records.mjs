// Trains every experiment of the catalogue at smoke scale, as a user of the library would.
//
//   npm run test:records            all of them
//   npm run test:records -- WORD…   those whose name contains one of the words
//
// An experiment passes if losses and accuracies are finite in every epoch, or at least in the first if it may diverge. The last
// line is `N passed, N failed`; the exit code is 1 if anything failed, or if no name contains a word.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { optionsOf } from './options.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { words } = optionsOf(import.meta.url, {}, { mostWords: Infinity });
const { catalogue, loadCifar10, trainExperiment } = createRequire(import.meta.url)(
  join(root, 'dist/index.js'),
);

const experiments = [...catalogue.values()].filter(
  ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
);
const width = Math.max(...experiments.map(({ name }) => name.length), 0);
const data = await loadCifar10();
let failed = 0;
for (const experiment of experiments) {
  const start = performance.now();
  let said;
  try {
    const { rows, result } = await trainExperiment(experiment, { data, seed: 0, scale: 'smoke' });
    const figures = rows.flatMap(({ train, valid }) => [
      train.loss,
      train.acc,
      valid.loss,
      valid.acc,
    ]);
    if (!figures.every(Number.isFinite)) throw new Error(`figures are ${figures.join(', ')}`);
    if (result.divergedIn === undefined && rows.length !== 2) {
      throw new Error(`${rows.length} epochs; expected 2`);
    }
    const end =
      result.divergedIn === undefined ? '' : `, loss NaN or infinite in epoch ${result.divergedIn}`;
    said = `passed  loss ${rows.map(({ train }) => train.loss.toFixed(3)).join(', ')}${end}`;
  } catch (error) {
    failed += 1;
    said = `FAILED  ${error instanceof Error ? error.message : error}`;
  }
  const sec = ((performance.now() - start) / 1000).toFixed(1).padStart(5);
  console.log(`${experiment.name.padEnd(width)} ${sec} s  ${said}`);
}
console.log(`${experiments.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && experiments.length > 0 ? 0 : 1;
