import * as tfl from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { examples, expectSameWeights } from '../../test/layers/perceptron';
import { TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { accelerate } from './accelerate';
import type { BatchDataset } from './batch-dataset';

beforeAll(() => {
  loadTensorflow();
});

const { layers } = tfl;

function twoOutputs(): tfl.LayersModel {
  const input = tfl.input({ shape: [3] });
  const outputs = ['a', 'b'].map((name) =>
    layers.dense({ units: 2, activation: 'softmax', kernelInitializer: 'ones', name }).apply(input),
  );
  const model = tfl.model({ inputs: input, outputs: outputs as tfl.SymbolicTensor[] });
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  return model;
}

describe('class weights of fitDataset', () => {
  test.each<readonly [what: string, classWeight: unknown, message: RegExp]>([
    [
      'an object of classes',
      { 0: 100, 1: 100 },
      /classWeight names "0", but the model has the outputs "a", "b"/,
    ],
    [
      'a list of one',
      [{ 0: 1, 1: 2 }],
      /classWeight has 1 entries, but the model has the outputs "a", "b"/,
    ],
    ['an unknown output', { a: { 0: 1, 1: 2 }, c: { 0: 1 } }, /classWeight names "c"/],
  ])('refuses class weights of two outputs that are %s', async (_what, classWeight, message) => {
    const model = twoOutputs();
    const { x, y } = examples(8);
    const dataset: BatchDataset = {
      iterator: () =>
        Promise.resolve({
          next: () =>
            Promise.resolve({ done: false, value: { xs: x.clone(), ys: [y.clone(), y.clone()] } }),
        }),
    };
    const args = { epochs: 1, batchesPerEpoch: 1, verbose: 0 };
    const training = accelerate(model).fitDataset(dataset, { ...args, classWeight } as never);
    await expect(training).rejects.toThrow(TrainError);
    await expect(
      accelerate(model).fitDataset(dataset, { ...args, classWeight } as never),
    ).rejects.toThrow(message);
    for (const accepted of [[{ 0: 1, 1: 2 }, null], { b: { 0: 1, 1: 2 } }]) {
      const given: object = { ...args, classWeight: accepted };
      const [plain, fast] = [twoOutputs(), twoOutputs()];
      await plain.fitDataset(dataset as never, given as never);
      await accelerate(fast).fitDataset(dataset, given as never);
      expectSameWeights(fast, plain);
    }
  });
});
