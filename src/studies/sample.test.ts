import { describe, expect, test } from 'vitest';
import { activationsAt } from '../analysis/activations';
import { fixedBatches } from '../analysis/fixed-batches';
import { TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import { initNetwork } from '../nn/network';
import { planRun } from '../runs/run';
import { findExperiment } from '../catalogue/catalogue';
import { networkOf } from '../catalogue/network';
import { frozenSample, sampleOf } from './sample';
import { scaled } from '../catalogue/scale';
import type { FinishedRun } from '../runs/run';

/** An untrained run, which is enough here. */
function runOf(record: string): Pick<FinishedRun, 'experiment' | 'state'> {
  const experiment = scaled(findExperiment(record), 'smoke');
  const network = initNetwork(networkOf(experiment), createRng(0));
  const noise = { images: new Uint8Array(3072), labels: new Uint8Array(1) };
  const data = { train: noise, valid: noise, classes: [], source: 'nothing' };
  const plan = planRun(experiment, data, 0);
  return {
    experiment: plan.experiment,
    state: { network, velocity: {}, ema: {}, extra: {} },
  };
}

const rng = createRng(1, 'images');
const images = {
  shape: [32, 32, 32, 3],
  data: Float32Array.from({ length: 32 * 3072 }, () => rng.normal()),
};
const batches = fixedBatches(images, new Uint8Array(32), {
  transforms: [],
  pad: 0,
  batchSize: 8,
  seed: 0,
});

describe('samples of a run', () => {
  test('hold its network and its loss; once frozen, the norms no longer depend on the batch', async () => {
    const run = runOf('post7-norm');
    const active = sampleOf(run, batches.slice(0, 1));
    expect([...active.model.loss.keys()]).toContain('KL');
    expect(active.variables).toBe(run.state.network);
    const frozen = await frozenSample(active, [...batches, ...batches, ...batches]);
    expect(frozen.batches).toBe(active.batches);
    expect(frozen.variables['prep/conv/weight']).toBe(active.variables['prep/conv/weight']);

    // The same images in a smaller and a larger batch: the rest of the batch matters only if norms measure it.
    const [{ input }] = batches;
    const alone = {
      shape: [4, 32, 32, 3],
      data: input.data.slice(0, 4 * 3072),
    };
    const differences = await Promise.all(
      [active, frozen].map(async ({ model, variables, isTraining }) => {
        const options = { nodes: ['layer1/norm'], isTraining };
        const [[many], [few]] = [
          await activationsAt(model.graph, [variables], input, options),
          await activationsAt(model.graph, [variables], alone, options),
        ];
        const [a, b] = [many['layer1/norm'].data, few['layer1/norm'].data];
        return Math.max(...Array.from(b, (value, i) => Math.abs(value - a[i])));
      }),
    );
    expect(differences[0]).toBeGreaterThan(0.01);
    expect(differences[1]).toBeLessThan(1e-4);
  });

  test('cannot be frozen without norms or without batches', async () => {
    const plain = sampleOf(runOf('post7-no-norm'), batches);
    await expect(frozenSample(plain, batches)).rejects.toThrow(/no batch norm/);
    const norm = sampleOf(runOf('post7-norm'), batches);
    await expect(frozenSample(norm, [])).rejects.toThrow(TrainError);
  });
});
