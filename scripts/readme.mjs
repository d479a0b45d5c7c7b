// Writes the generated sections of README.md and docs/: results from the runs in results/, speed from bench/results/.
//
//   node scripts/readme.mjs              writes the pages
//   node scripts/readme.mjs --check      writes nothing; exit code 1 if a page differs from its sources
//   node scripts/readme.mjs add FOLDER…  adds finished runs (folders that `train` made) to results/, then writes
//
// --root DIR selects another checkout. results/README.md describes the files. Runs share a row of a table if experiment,
// scale, precision, XLA, device, threads, hardware and TensorFlow agree; of runs that `report` takes for repetitions, only
// the latest counts. Of the benchmarks, the tables show the newest session of each
// machine.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { optionsOf } from './options.mjs';
import { addResult, countedResults, fail } from './result-files.mjs';
import { directionsOf } from './result-directions.mjs';
import {
  gpuOf,
  fullOf,
  groupsOf,
  headlineOf,
  airbenchOf,
  fastestStepOf,
  modelsOf,
  resultsOf,
  sampleOf,
  speedOf,
  wholeOf,
} from './result-tables.mjs';

const home = dirname(dirname(fileURLToPath(import.meta.url)));

/** Replaces the sections of a page, each between `<!-- NAME: … -->` and `<!-- /NAME -->`. */
function filled(page, before, sections) {
  return Object.entries(sections).reduce((text, [name, content]) => {
    const [begin, end] = [`<!-- ${name}: written by scripts/readme.mjs -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) fail(`${page} has no "${begin}" … "${end}".`);
    return `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
  }, before);
}

const given = optionsOf(
  import.meta.url,
  { check: { type: 'boolean', default: false }, root: { type: 'string', default: home } },
  {
    mostWords: Infinity,
    read: ({ words: [command, ...folders], ...values }) => {
      if (command !== undefined && (command !== 'add' || folders.length === 0 || values.check)) {
        throw new TypeError(`expected --check or add FOLDER…; got "${command}".`);
      }
      return { ...values, folders };
    },
  },
);
const { check: isCheck } = given;
const root = resolve(given.root);
for (const folder of given.folders) addResult(root, resolve(folder));

const runs = countedResults(root);
const grouped = groupsOf(runs);
const pages = {
  'README.md': { headline: headlineOf(runs), full: fullOf(runs) },
  'docs/results.md': { results: resultsOf(grouped), directions: directionsOf(grouped) },
  'docs/fastest.md': { sample: sampleOf(runs) },
  'docs/bench.md': {
    speed: speedOf(root),
    'fastest-step': fastestStepOf(root),
    airbench: airbenchOf(root),
    whole: wholeOf(root),
  },
  'docs/engine.md': { models: modelsOf(root) },
  'docs/gpu.md': { gpu: gpuOf(root) },
};
for (const [page, sections] of Object.entries(pages)) {
  const file = join(root, page);
  const before = readFileSync(file, 'utf8');
  const style = await resolveConfig(join(home, 'README.md'));
  const after = await format(filled(page, before, sections), { ...style, parser: 'markdown' });
  if (after === before) continue;
  if (isCheck) fail(`${page} differs from its sources. Run: node scripts/readme.mjs`);
  writeFileSync(file, after);
}
