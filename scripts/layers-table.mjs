// Trains every layer of TF.js with every optimiser by model.fit and by accelerate(), five steps from the same weights. Prints the
// largest difference between weights for each pair, and writes the largest for each optimiser to docs/engine.md. Takes minutes.
//
//   node scripts/layers-table.mjs
import { accelerate, loadTensorflow } from 'cifar10-fast';
import {
  layerCases,
  makeData,
  makeModel,
  optimiserCases,
  training,
  worstDeviation,
} from '../test/layers/cases.mjs';
import { optionsOf } from './options.mjs';
import { writeSection } from './sections.mjs';

optionsOf(import.meta.url);
loadTensorflow();

async function deviationOf(layer, makeOptimiser) {
  const [plain, recorded] = [1, 2].map(() => makeModel(layer, makeOptimiser()));
  const { x, y } = makeData(layer, 40);
  const fast = accelerate(recorded);
  try {
    await plain.fit(x, y, training);
    await fast.fit(x, y, training);
    return worstDeviation(plain, recorded);
  } finally {
    fast.dispose();
    for (const model of [plain, recorded]) model.dispose();
    x.dispose();
    y.dispose();
  }
}

const text = (deviation) => (deviation === 0 ? '0' : deviation.toExponential(0));

const trained = layerCases.filter(({ fails }) => fails === undefined);
const names = optimiserCases.map(([name]) => name);
console.log(['layer', ...names].join(' | '));
const worst = names.map(() => 0);
for (const layer of trained) {
  const deviations = [];
  for (const [, makeOptimiser] of optimiserCases) {
    deviations.push(await deviationOf(layer, makeOptimiser));
  }
  for (const [index, deviation] of deviations.entries())
    worst[index] = Math.max(worst[index], deviation);
  console.log([layer.name, ...deviations.map(text)].join(' | '));
}
await writeSection(
  'docs/engine.md',
  'layers',
  [
    `| ${names.join(' | ')} |`,
    `| ${names.map(() => '---:').join(' | ')} |`,
    `| ${worst.map(text).join(' | ')} |`,
    '',
    `Each is the largest of ${trained.length} layers: ${trained.map(({ name }) => name).join(', ')}.`,
  ].join('\n'),
);
const failing = layerCases.filter(({ fails }) => fails !== undefined);
await writeSection(
  'docs/engine.md',
  'fails',
  [
    '| layer | why |',
    '| --- | --- |',
    ...failing.map(({ name, fails }) => `| ${name} | ${fails} |`),
  ].join('\n'),
);
