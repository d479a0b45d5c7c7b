import type { Experiment } from '../catalogue/experiment';
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
  const trainer = trainerOf(experiment, { train: blank(train), valid: blank(valid) }, 0);
  try {
    return trainer.flops();
  } finally {
    trainer.dispose();
  }
}
