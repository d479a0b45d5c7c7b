import { ExperimentError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { bagOfTricksRecords } from './bag-of-tricks';
import { demo } from './base';
import { postRecords } from './posts-1-to-4';
import type { Experiment } from './record';

/** Every run of the study by name, in the order in which it tells of them. */
export const catalogue: ReadonlyMap<string, Experiment> = new Map(
  [demo, ...postRecords, ...bagOfTricksRecords].map((experiment) => [experiment.name, experiment]),
);

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
