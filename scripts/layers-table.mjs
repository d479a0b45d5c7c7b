// node scripts/layers-table.mjs: trains every layer of TF.js with every optimiser by model.fit and by accelerate(), five steps
// from the same weights, and writes the largest difference of a weight into docs/engine.md. Takes minutes.
import { accelerate, loadTensorflow } from 'cifar10-fast';
import {
  layerCases,
  makeData,
  makeModel,
  optimiserCases,
  training,
  worstDeviation,
} from '../test/layers/cases.mjs';
import { writeSection } from './sections.mjs';

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
const lines = [
  `| layer | ${names.join(' | ')} |`,
  `| --- | ${names.map(() => '---:').join(' | ')} |`,
];
let worst = 0;
for (const layer of trained) {
  const cells = [];
  for (const [, makeOptimiser] of optimiserCases) {
    const deviation = await deviationOf(layer, makeOptimiser);
    worst = Math.max(worst, deviation);
    cells.push(text(deviation));
  }
  lines.push(`| ${layer.name} | ${cells.join(' | ')} |`);
  console.log(lines.at(-1));
}
const summary = `${trained.length} layers by ${names.length} optimisers; the largest of all is ${text(worst)}.`;
console.log(summary);
await writeSection('docs/engine.md', 'layers', `${lines.join('\n')}\n\n${summary}`);
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
