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

/** Every experiment by name: by notebook, then the scripts, then those of posts alone. */
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

/** The experiments of the catalogue by the place where the study shows them. */
export function byNotebook(): ReadonlyMap<Notebook, readonly Experiment[]> {
  const records = [...catalogue.values()];
  return new Map(
    notebooks.map((notebook) => [
      notebook,
      records.filter((record) => record.notebook === notebook),
    ]),
  );
}

/**
 * The experiment of a name.
 *
 * @throws ExperimentError naming the nearest one, if there is none
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
