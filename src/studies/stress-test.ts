import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import type { Experiment, Scale } from '../catalogue/experiment';
import { scaled } from '../catalogue/scale';

/**
 * Post 7's stress test at `scale`, with and without batch norm: the rate grows by the same factor in each of 25 epochs,
 * until training breaks down.
 *
 * The effect needs all epochs, but the usual scaling would leave four. `pocket` scale therefore keeps all 25, of 4,096 images
 * in batches of 128. `smoke` scale is the usual one.
 */
export function stressTest(scale: Scale): readonly Experiment[] {
  return ['post7-stress-norm', 'post7-stress-no-norm'].map((name) => {
    const record = findExperiment(name);
    const sized = scaled(record, scale);
    if (scale !== 'pocket') return sized;
    const changes = [
      ['run.epochs', record.run.epochs],
      ['data.subset', { train: 4096, valid: 512 }],
      ['data.batchSize', 128],
    ] as const;
    return changes.reduce<Experiment>(
      (before, [path, value]) => overridden(before, path, value),
      sized,
    );
  });
}
