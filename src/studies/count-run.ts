import type { Experiment } from '../catalogue/experiment';
import { stretchData, stretchOptim } from '../catalogue/scale';
import { trainerOf } from '../runs/prepare';
import { stepsIn } from '../train/pace';
import type { Examples, RunFlops } from '../train/training';

/**
 * Counts the floating-point operations of a whole run from the graphs of its steps: exact, without training and without
 * CIFAR-10. Blank images stand in for the 50,000 and 10,000 (or the experiment's subset), as the count does not depend on
 * their content. Only as many are created as each batch size requires.
 *
 * @throws EngineError if TensorFlow does not load
 */
export function countRun(experiment: Experiment): RunFlops {
  const { batchSize, validBatchSize = batchSize, subset } = experiment.data;
  const { train = 50_000, valid = 10_000 } = subset ?? {};
  const short = oneStepEpochs(experiment, train);
  const count = (examples: number, validExamples: number): RunFlops =>
    countWith(short ?? experiment, { train: examples, valid: validExamples });
  const rest = valid % validBatchSize;
  const wholeBatches = (valid - rest) / validBatchSize;
  const examples = short === undefined ? train : batchSize;
  if (wholeBatches < 2) return count(examples, valid);
  const once = count(examples, validBatchSize + rest);
  const batch = rest === 0 ? once : count(batchSize, validBatchSize);
  return { ...once, evaluation: once.evaluation + (wholeBatches - 1) * batch.evaluation };
}

/** Operations of a run over blank images. */
function countWith(
  experiment: Experiment,
  { train, valid }: { readonly train: number; readonly valid: number },
): RunFlops {
  const blank = (count: number): Examples => ({
    images: new Float32Array(count * 32 * 32 * 3),
    labels: new Uint8Array(count),
  });
  const trainer = trainerOf(experiment, { train: blank(train), valid: blank(valid) }, 0);
  try {
    return trainer.flops();
  } finally {
    trainer.dispose();
  }
}

/** The same steps as epochs of one step, which need only one batch of images; undefined if batches differ in size. */
function oneStepEpochs(experiment: Experiment, train: number): Experiment | undefined {
  const { data, optim, run } = experiment;
  if (!data.dropLast || train < data.batchSize) return undefined;
  const perEpoch = Math.floor(train / data.batchSize);
  return {
    ...experiment,
    data: stretchData(data, perEpoch),
    optim: stretchOptim(optim, perEpoch),
    run: { ...run, epochs: stepsIn(run.epochs, perEpoch) },
  };
}
