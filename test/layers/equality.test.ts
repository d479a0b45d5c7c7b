import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadTensorflow } from '../../src/engine/tensorflow';
import { accelerate } from '../../src/layers/accelerate';
import {
  layerCases,
  makeData,
  makeModel,
  optimiserCases,
  training,
  worstDeviation,
} from './cases.mjs';

beforeAll(() => {
  loadTensorflow();
});

/** Classes of TF.js that compute nothing themselves. */
const bases = ['Layer', 'RNNCell', 'InputLayer'];

describe('five steps of model.fit and of accelerate from the same weights', () => {
  // Each layer is tested with one optimiser, in turn; docs/engine.md has all pairs. TF.js's centered RMSProp turns weights with
  // small gradients into NaN, which says nothing about a layer.
  const turns = optimiserCases.filter(([name]) => name !== 'RMSProp centered');
  test.each(
    layerCases
      .filter(({ fails }) => fails === undefined)
      .map((layer, index) => [layer.name, layer, turns[index % turns.length]] as const),
  )('%s', async (_name, layer, [, makeOptimiser]) => {
    const [plain, recorded, start] = [1, 2, 3].map(() => makeModel(layer, makeOptimiser()));
    const { x, y } = makeData(layer);
    const fast = accelerate(recorded);
    const expected = await plain.fit(x, y, training);
    const history = await fast.fit(x, y, training);
    expect(worstDeviation(plain, recorded)).toBeLessThan(1e-5);
    expect(worstDeviation(start, recorded)).toBeGreaterThan(1e-4);
    expect(Object.keys(history.history)).toEqual(Object.keys(expected.history));
    expect(history.history['loss'][0]).toBeCloseTo(expected.history['loss'][0] as number, 5);
    fast.dispose();
  });

  test.each(
    layerCases
      .filter(({ fails }) => fails !== undefined)
      .map((layer) => [layer.name, layer] as const),
  )('%s can be trained neither by TF.js nor by accelerate', async (_name, layer) => {
    const train = async (isFast: boolean): Promise<unknown> => {
      const model = makeModel(layer, tf.train.sgd(0.01));
      const { x, y } = makeData(layer);
      return (isFast ? accelerate(model) : model).fit(x, y, training);
    };
    await expect(train(false)).rejects.toBeInstanceOf(Error);
    await expect(train(true)).rejects.toBeInstanceOf(Error);
  });

  test('every layer class of TF.js has a case', () => {
    const classes = new Set(
      Object.entries(tfl.layers).flatMap(([name, make]) => {
        if (/^[A-Z]/.test(name) || name === 'input' || name.startsWith('avgPool')) return [];
        return [(make as (args: object) => object).toString().match(/new (\w+)/)?.[1] ?? name];
      }),
    );
    const covered = new Set(layerCases.map(({ name }) => name.split(/[ ,]/)[0]));
    const missing = [...classes].filter((name) => !covered.has(name) && !bases.includes(name));
    expect(missing).toEqual([]);
  });
});
