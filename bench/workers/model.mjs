// A model of bench/models/zoo.mjs, trained by `model.fit` or by `accelerate`: a step is an epoch.
import { createRequire } from 'node:module';
import { accelerate, loadTensorflow } from 'cifar10-fast';
import { makeData, zoo } from '../models/zoo.mjs';
import { readConfig, serve } from '../worker.mjs';

const { model: name, how, precision, batches } = readConfig();
// Enables oneDNN's kernels, which is not the default on every machine, and patches nothing that fit uses.
loadTensorflow();
const tf = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu');

const entry = zoo[name];
const model = entry.make(tf);
model.compile(entry.compile(tf));
const { x, y } = makeData(tf, entry, entry.batch * batches);
const trained = how === 'fit' ? model : accelerate(model, { precision });

await serve(
  async (epochs) => {
    const seconds = [];
    const losses = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const start = performance.now();
      const { history } = await trained.fit(x, y, {
        epochs: 1,
        batchSize: entry.batch,
        verbose: 0,
      });
      seconds.push((performance.now() - start) / 1000);
      losses.push(history.loss[0]);
    }
    return { seconds, losses };
  },
  { burnIn: 1 },
);
