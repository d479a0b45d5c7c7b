import { ExperimentError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { architectureSearchRecords } from './architecture-search';
import { bagOfTricksRecords } from './bag-of-tricks';
import { demo } from './bases';
import { batchNormRecords } from './batch-norm';
import { convergenceRecords, epochClaims } from './convergence';
import { hyperparameterRecords, larsRecord } from './posts-5-and-6';
import { postOnlyRecords, postRecords } from './posts-1-to-4';
import type { Experiment, Notebook } from './experiment';
import { notebooks } from './experiment';
import { scriptRecords } from './dawn-scripts';
import { speedrunExperiments } from './speedrun';

/** Every run of the study by name: notebook by notebook, then the scripts, then what posts alone tell of. */
export const catalogue: ReadonlyMap<string, Experiment> = new Map(
  [
    demo,
    ...postRecords,
    ...batchNormRecords,
    ...bagOfTricksRecords,
    ...convergenceRecords,
    ...scriptRecords,
    ...postOnlyRecords,
    ...architectureSearchRecords,
    ...hyperparameterRecords,
    larsRecord,
    ...epochClaims,
    ...speedrunExperiments,
  ].map((experiment) => [experiment.name, experiment]),
);

/** The records of the catalogue by the place where the study shows them, in their order. */
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
 * The record of a name.
 *
 * @throws ExperimentError naming the nearest one, if there is none
 */
export function findExperiment(name: string): Experiment {
  const found = catalogue.get(name);
  if (found === undefined) {
    throw new ExperimentError(
      `record "${name}" does not exist.${nearestHint(name, catalogue.keys())} ` +
        '"cifar10-fast list" shows all of them.',
    );
  }
  return found;
}
