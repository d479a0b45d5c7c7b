import { describe, expect, test } from 'vitest';
import { epochBatches } from '../../src/augment/epoch-order';
import { createRng } from '../../src/base/rng';
import { initNetwork } from '../../src/nn/network';
import { createTrainer } from '../../src/train/trainer';
import type { Training } from '../../src/train/training';
import { expectClose } from '../expect-close';
import { engines } from './engine';
import { madeSpec } from './made-fixture';
import { networkFromGraph } from './network-from-graph';
import { plain, trainPlainly } from './plain-loops';
import type { Plain, PlainBatch } from './plain-loops';
import { vector } from './subject';

/** Whole epochs of the library's trainer, compared with plain loops. */
const seed = 5;
const [trainCount, validCount, batchSize, stepsPerEpoch] = [12, 6, 4, 3];
const pixels = 8 * 8 * 3;
const rng = createRng(seed, 'trainer test');
const images = (count: number): Float32Array =>
  rng.fillUniform(new Float32Array(count * pixels), -2, 2);
const labels = (count: number): number[] => Array.from({ length: count }, () => rng.integer(5));
const train = { images: images(trainCount), labels: labels(trainCount) };
const valid = { images: images(validCount), labels: labels(validCount) };
const model = networkFromGraph(madeSpec.graph, madeSpec.loss_graph);

const training: Training = {
  model,
  train,
  valid,
  imageShape: [8, 8, 3],
  transforms: [],
  pad: 0,
  scheme: 'groups',
  maxOptions: 200,
  batchSize,
  dropLast: true,
  epochs: 2,
  lr: { knots: [0, 1, 3], vals: [0, 0.8, 0.2] },
  weightDecay: 0.0005,
  momentum: 0.9,
  optimiser: {
    rule: 'nesterov-b',
    groups: [{ includes: 'bias', lrFactor: 4, weightDecayFactor: 1 / 4 }],
  },
  ema: { momentum: 0.9, updateFreq: 2 },
  tta: false,
  seed,
};

function batchOf(
  examples: { readonly images: Float32Array; readonly labels: readonly number[] },
  order: Iterable<number>,
): PlainBatch {
  const list = [...order];
  return {
    input: plain([list.length, 8, 8, 3], (i) => {
      return examples.images[list[Math.floor(i / pixels)] * pixels + (i % pixels)];
    }),
    target: list.map((example) => examples.labels[example]),
  };
}

/** Every tensor after `epochs` epochs, in float64. */
function plainly(epochs: number): Map<string, Plain> {
  const init = Object.entries(initNetwork(model.graph, createRng(seed, 'init'))).map(
    ([path, { shape, data }]) => [path, plain(shape, (i) => data[i])] as const,
  );
  const batches = Array.from({ length: epochs }, (_, epoch) =>
    epochBatches(trainCount, {
      batchSize,
      dropLast: true,
      rng: createRng(seed, 'order', epoch + 1),
    }).map((order) => batchOf(train, order)),
  );
  const evaluation = batchOf(valid, valid.labels.keys());
  return trainPlainly(madeSpec, new Map(init), batches.flat(), evaluation);
}

/** The mean of some losses or accuracies. */
function meanOf(values: ReadonlyMap<string, Plain>, ...names: readonly string[]): number {
  const all = names.flatMap((name) => Array.from(values.get(name)?.data ?? [NaN]));
  return all.reduce((a, b) => a + b, 0) / all.length;
}

describe.each(engines.map((engine) => [engine.mode] as const))('two epochs, %s', (mode) => {
  test.each([
    ['eval', false],
    ['tta', true],
  ] as const)('of three steps each: network, average and row, with %s', async (judged, tta) => {
    const trainer = createTrainer({ ...training, tta, engine: { mode, precision: 'fp32' } });
    for (const epoch of [1, 2]) {
      const row = await trainer.runEpoch(epoch);
      const expected = plainly(epoch);
      const { network, ema } = await trainer.session.read('network', 'ema');
      for (const [name, tensor] of Object.entries(network)) {
        expectClose(`${epoch}: ${name}`, tensor, expected.get(`final/${name}`) as Plain);
      }
      for (const [name, tensor] of Object.entries(ema)) {
        expectClose(`${epoch}: ema of ${name}`, tensor, expected.get(`ema/${name}`) as Plain);
      }
      const steps = [1, 2, 3].map((step) => `step${(epoch - 1) * stepsPerEpoch + step}`);
      const trained = (what: string): number =>
        meanOf(expected, ...steps.map((step) => `${step}/${what}`));
      expectClose(
        `row ${epoch}`,
        vector([row.lr, row.train.loss, row.train.acc, row.valid.loss, row.valid.acc]),
        vector([
          [0.8, 0.5][epoch - 1],
          trained('loss'),
          trained('acc'),
          meanOf(expected, `${judged}/loss`),
          meanOf(expected, `${judged}/acc`),
        ]),
      );
      expect(Object.keys(network)).toHaveLength(9);
      expect(Object.keys(ema)).toHaveLength(9);
    }
    trainer.dispose();
  });
});
