// node scripts/layers-table.mjs: trains every layer of TF.js with every optimiser by model.fit and by accelerate(), five steps
// from the same weights, and prints the largest difference of a weight as the table of docs/engine.md. Takes minutes.
import { accelerate, loadTensorflow } from 'cifar10-fast';
import {
  layerCases,
  makeData,
  makeModel,
  optimiserCases,
  training,
  worstDeviation,
} from '../test/layers/cases.mjs';

loadTensorflow();

async function deviationOf(layer, makeOptimiser) {
  const [plain, recorded] = [1, 2].map(() => makeModel(layer, makeOptimiser()));
  const { x, y } = makeData(layer);
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
console.log(`| layer | ${names.join(' | ')} |`);
console.log(`| --- | ${names.map(() => '---:').join(' | ')} |`);
let worst = 0;
for (const layer of trained) {
  const cells = [];
  for (const [, makeOptimiser] of optimiserCases) {
    const deviation = await deviationOf(layer, makeOptimiser);
    worst = Math.max(worst, deviation);
    cells.push(text(deviation));
  }
  console.log(`| ${layer.name} | ${cells.join(' | ')} |`);
}
console.error(`worst of ${trained.length} layers and ${names.length} optimisers: ${text(worst)}`);
