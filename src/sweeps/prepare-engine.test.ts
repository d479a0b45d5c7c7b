import { expect, test, vi } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { overridden } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import type { Cifar10 } from '../data/cifar10';
import { loadGraphAddon } from '../engine/native';
import { loadTensorflow } from '../engine/tensorflow';
import { prepareRun } from '../runs/prepare';
import { trainExperiment } from '../runs/train';
import { TrainerCache } from '../runs/trainer-cache';
import * as training from '../train/trainer';
import type { RunJob } from './job';
import { prepareEngine } from './prepare-engine';
import { noiseData } from '../../test/noise-data';

const data = noiseData(32, 32);
const experiment = ['data.subset', 'data.batchSize'].reduce(
  (before, path) =>
    overridden(before, path, path === 'data.subset' ? { train: 32, valid: 32 } : 16),
  scaled(findExperiment('demo'), 'smoke'),
);

// CPUs without bf16 instructions have no bf16 algorithms.
const hasBf16 = loadGraphAddon().convAlgorithms(0, true, [1, 4, 4, 32, 32, 4, 4]).length > 0;

test.each(hasBf16 ? (['fp32', 'bf16'] as const) : (['fp32'] as const))(
  'in %s, the table has every pass of every convolution, so workers measure nothing again',
  async (precision) => {
    const engine = { mode: 'captured', xla: false, precision } as const;
    const job = { experiments: [experiment, { ...experiment, name: 'again' }], engine };
    const trainers = new TrainerCache();
    const { algorithms } = await prepareEngine(job, () => Promise.resolve(data), trainers);
    // The first run reuses the trainer that measured.
    const created = vi.spyOn(training, 'createTrainer');
    const given = JSON.parse(
      JSON.stringify({ experiment, engine: { ...engine, algorithms } }),
    ) as Pick<RunJob, 'experiment' | 'engine'>;
    const onProgress = (): void => undefined;
    await trainExperiment(given.experiment, {
      data,
      seed: 1,
      engine: given.engine,
      trainers,
      onProgress,
    });
    expect(created).not.toHaveBeenCalled();
    trainers.dispose();
    created.mockRestore();
    const { trainer } = prepareRun(experiment, data, 0, { engine: { ...engine, algorithms } });
    try {
      await trainer.warmUp();
      const key = ({ pass, shape }: (typeof algorithms)[number]): string => `${pass} ${shape}`;
      const used = trainer.session.algorithms;
      expect(used.length).toBeGreaterThan(0);
      expect(algorithms.map(key).toSorted()).toEqual(used.map(key).toSorted());
      expect(new Set(algorithms.map(({ pass }) => pass)).size).toBe(3);
      // The rows used are the ones measured before, with identical times.
      expect(used).toEqual(expect.arrayContaining([...algorithms]));
    } finally {
      trainer.dispose();
    }
  },
);

test('reads no images if there is nothing to choose', async () => {
  const engine = { mode: 'eager', xla: false } as const;
  const load = (): Promise<Cifar10> => Promise.reject(new Error('not needed'));
  expect(
    await prepareEngine({ experiments: [experiment], engine }, load, new TrainerCache()),
  ).toEqual({
    ...engine,
    precision: 'fp32',
    device: loadTensorflow().gpu ? 'gpu' : 'cpu',
    algorithms: [],
  });
});
