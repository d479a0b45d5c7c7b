import { describe, expect, test } from 'vitest';
import { crop } from '../augment/crop';
import { cutout } from '../augment/cutout';
import { InterruptedError, TrainError } from '../base/errors';
import { build } from '../graph/build';
import { resnet9 } from '../models/resnet9';
import { crossEntropyLoss } from '../nn/loss';
import type { AnyLayer } from '../nn/network';
import type { Optimiser } from '../optim/optimiser';
import type { Model } from '../train/steps';
import { stepTimes } from './step-times';

const channels = { prep: 4, layer1: 8, layer2: 8, layer3: 8 };
const model: Model = {
  graph: build(resnet9({ channels })),
  loss: build<AnyLayer>(crossEntropyLoss()),
};
const optimiser: Optimiser = { rule: 'nesterov-a', groups: [] };

/** A clock by which the n-th timed step takes `seconds[n % 5]`: it is read before and after each step. */
function clockOf(seconds: readonly number[]): () => number {
  let now = 0;
  let reads = 0;
  return () => {
    if (reads % 2 === 1) now += seconds[((reads - 1) / 2) % seconds.length];
    reads += 1;
    return now;
  };
}

describe('stepTimes', () => {
  test('removes parts one by one: the differences between the forms add up to the whole', async () => {
    const clock = clockOf([10, 9, 8.5, 6, 4]);
    const { batchSize, stepSec, parts, operations } = await stepTimes(model, optimiser, {
      batchSize: 8,
      transforms: [crop(32, 32), cutout(8, 8)],
      repeats: 2,
      clock,
    });
    expect([batchSize, stepSec]).toEqual([8, 10]);
    expect(parts).toEqual({
      data: 1,
      optimiser: 0.5,
      relu: 2.5,
      'batch norm': 2,
      convolutions: 4,
    });
    const kinds = operations.map(({ op }) => op);
    expect(kinds.some((kind) => kind.includes('BatchNorm'))).toBe(true);
    expect(kinds.some((kind) => kind.includes('Conv'))).toBe(true);
    expect(operations.every(({ ms, count }) => ms >= 0 && count > 0)).toBe(true);
  });

  test('counts a part as 0 if the noise is larger, never as negative', async () => {
    const clock = clockOf([10, 11, 8, 8.5, 4]);
    const { parts } = await stepTimes(model, optimiser, { batchSize: 4, repeats: 1, clock });
    expect(parts).toEqual({ data: 0, optimiser: 2, relu: 0, 'batch norm': 4, convolutions: 4 });
  });

  test('stops when the signal aborts', async () => {
    const signal = AbortSignal.abort();
    await expect(stepTimes(model, optimiser, { batchSize: 4, signal })).rejects.toThrow(
      InterruptedError,
    );
  });

  test.each([{ batchSize: 0 }, { batchSize: 1.5 }, { batchSize: 4, repeats: 0 }])(
    'refuses %o',
    async (options) => {
      const measured = stepTimes(model, optimiser, options);
      await expect(measured).rejects.toThrow(TrainError);
      await expect(measured).rejects.toThrow(/stepTimes: .* Give a whole number from 1\./);
    },
  );
});
