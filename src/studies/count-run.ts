import type { Experiment } from '../catalogue/experiment';
import { stretchData, stretchOptim } from '../catalogue/scale';
import { trainerOf } from '../runs/prepare';
import type { Examples, RunFlops } from '../train/training';

/**
 * Floating-point operations of a whole run of an experiment, counted in the graphs of its steps: exact, without a step of
 * training and without CIFAR-10. Blank images stand in for the 50,000 and 10,000 (or as many as the experiment takes), as
 * what is counted does not depend on what they show.
 *
 * @throws EngineError if TensorFlow does not load
 */
export function countRun(experiment: Experiment): RunFlops {
  const { train = 50_000, valid = 10_000 } = experiment.data.subset ?? {};
  const blank = (count: number): Examples => ({
    images: new Float32Array(count * 32 * 32 * 3),
    labels: new Uint8Array(count),
  });
  const short = oneStepEpochs(experiment, train);
  const examples = short === undefined ? train : experiment.data.batchSize;
  const trainer = trainerOf(
    short ?? experiment,
    { train: blank(examples), valid: blank(valid) },
    0,
  );
  try {
    return trainer.flops();
  } finally {
    trainer.dispose();
  }
}

/** The same steps as epochs of one step each, which need a batch of images only; undefined where batches differ in size. */
function oneStepEpochs(experiment: Experiment, train: number): Experiment | undefined {
  const { data, optim, run } = experiment;
  if (!data.dropLast || train < data.batchSize) return undefined;
  const perEpoch = Math.floor(train / data.batchSize);
  return {
    ...experiment,
    data: stretchData(data, perEpoch),
    optim: stretchOptim(optim, perEpoch),
    run: { ...run, epochs: Math.ceil(run.epochs * perEpoch - 1e-9) },
  };
}
