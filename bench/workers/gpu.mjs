// Trains an experiment, seed by seed, and prints a JSON line for each. bench/gpu.mjs starts one process per variant.
//
// Compilation for the first seed serves all others. A run's seconds are those of its training epochs. Each epoch ends by reading
// its statistics, so the GPU has finished all work when the clock is read. Validation is not timed, and neither is the warm-up,
// in which XLA compiles and cuDNN chooses its algorithms.
import {
  findExperiment,
  hardwareLine,
  loadCifar10,
  loadTensorflow,
  overridden,
  prepareRun,
  readHardware,
  scaled,
} from 'cifar10-fast';

const config = JSON.parse(process.argv[2]);
const { record, scale = 'full', seeds, engine, epochs, overrides = {} } = config;
const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

const { gpu, version } = loadTensorflow();
if (!gpu && config.isGpuNeeded) {
  send({ error: 'TensorFlow runs on the CPU.' });
  process.exit(3);
}
const data = await loadCifar10();
const experiment = Object.entries(overrides).reduce(
  (before, [path, value]) => overridden(before, path, value),
  scaled(findExperiment(record), scale),
);
const start = performance.now();
const { trainer, preprocessSec, imagesPerEpoch } = prepareRun(experiment, data, seeds[0], {
  engine,
});
await trainer.warmUp();
const warmUpSec = (performance.now() - start) / 1000 - preprocessSec;
const context = {
  record,
  scale,
  engine,
  hardware: hardwareLine(readHardware()),
  device: gpu ? 'gpu' : 'cpu',
  tensorflow: version,
  stepsPerCall: trainer.stepsPerCall,
  preprocessSec,
  warmUpSec,
};
for (const seed of seeds) {
  trainer.restart(seed);
  const rows = [];
  for (let epoch = 1; epoch <= (epochs ?? experiment.run.epochs); epoch++) {
    rows.push(await trainer.runEpoch(epoch));
  }
  const { finalTta = false } = experiment.run;
  const tta = finalTta ? await trainer.evaluate({ tta: true }) : undefined;
  const seconds = rows.map(({ train }) => train.time);
  const last = rows[rows.length - 1];
  send({
    ...context,
    seed,
    trainSec: last['total time'],
    imagesPerSec: (rows.length * imagesPerEpoch) / last['total time'],
    epochSec: seconds,
    losses: rows.map(({ train }) => train.loss),
    accPercent: 100 * last.valid.acc,
    ...(tta === undefined ? {} : { ttaAccPercent: 100 * tta.acc }),
  });
}
trainer.dispose();
