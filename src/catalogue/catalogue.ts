import { ExperimentError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { architectureSearchExperiments } from './architecture-search';
import { bagOfTricksExperiments } from './bag-of-tricks';
import { demo } from './bases';
import { batchNormExperiments } from './batch-norm';
import { convergenceExperiments, epochClaims } from './convergence';
import { hyperparameterExperiments, larsExperiment } from './posts-5-and-6';
import { postOnlyExperiments, postExperiments } from './posts-1-to-4';
import type { Experiment, Notebook } from './experiment';
import { notebooks } from './experiment';
import { scriptExperiments } from './dawn-scripts';
import { speedrunExperiments } from './speedrun';
import { speedrunAblations } from './speedrun-ablations';
import { speedrunSteps } from './speedrun-steps';

/** Every experiment by name: first by notebook, then the scripts, then those outside notebooks. */
export const catalogue: ReadonlyMap<string, Experiment> = new Map(
  [
    demo,
    ...postExperiments,
    ...batchNormExperiments,
    ...bagOfTricksExperiments,
    ...convergenceExperiments,
    ...scriptExperiments,
    ...postOnlyExperiments,
    ...architectureSearchExperiments,
    ...hyperparameterExperiments,
    larsExperiment,
    ...epochClaims,
    ...speedrunExperiments,
    ...speedrunSteps,
    ...speedrunAblations,
  ].map((experiment) => [experiment.name, experiment]),
);

/** The experiments of the catalogue by {@link Notebook}. */
export function byNotebook(): ReadonlyMap<Notebook, readonly Experiment[]> {
  const experiments = [...catalogue.values()];
  return new Map(
    notebooks.map((notebook) => [
      notebook,
      experiments.filter((experiment) => experiment.notebook === notebook),
    ]),
  );
}

/**
 * Finds an experiment by name.
 *
 * @throws ExperimentError if there is none; names the nearest one
 */
export function findExperiment(name: string): Experiment {
  const found = catalogue.get(name);
  if (found === undefined) {
    throw new ExperimentError(
      `experiment "${name}" does not exist.${nearestHint(name, catalogue.keys())} ` +
        '"cifar10-fast list" shows all of them.',
    );
  }
  return found;
}
