// Training steps of airbench94-muon by this library; bench/peers/airbench_torch.py is the counterpart in PyTorch.
import { findExperiment, loadCifar10, prepareRun } from 'cifar10-fast';
import { readConfig, serve } from '../worker.mjs';

const config = readConfig();
const { batchSize, ...data } = findExperiment('airbench94-muon').data;
const stepsPerCall = config.stepsPerTurn;
const experiment = {
  ...findExperiment('airbench94-muon'),
  data: {
    ...data,
    batchSize,
    validBatchSize: 500,
    // Makes an epoch as long as a turn.
    subset: { train: stepsPerCall * batchSize, valid: 500 },
  },
};
const { trainer } = prepareRun(experiment, await loadCifar10(), 0, {
  engine: { precision: config.precision },
});
// The bias of the whitening layer is trained in the first three epochs.
const epoch = { learning: 1, frozen: 4 }[config.stage];

async function run(steps) {
  const seconds = [];
  const losses = [];
  while (seconds.length < steps) {
    const { train } = await trainer.runEpoch(epoch);
    for (let step = 0; step < stepsPerCall; step++) {
      seconds.push(train.time / stepsPerCall);
      losses.push(train.loss);
    }
  }
  return { seconds, losses };
}

await serve(run, config);
trainer.dispose();
