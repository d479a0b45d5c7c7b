import { describe, expect, test } from 'vitest';
import { InterruptedError, TrainError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { batchNorm } from '../nn/batch-norm';
import { conv } from '../nn/conv';
import { initNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { activationsAt } from './activations';
import { refreshNorms } from './refresh-norms';

const graph = build<AnyLayer>({ conv: conv(1, 2), bn: batchNorm(2, { momentum: 0.25 }) });
const variables = initNetwork(graph, createRng(1));
const batches = [1, 2, 3].map((seed) => {
  const rng = createRng(seed, 'batch');
  const data = Float32Array.from({ length: 4 * 9 }, () => 3 + rng.normal());
  return { input: { shape: [4, 3, 3, 1], data } };
});

/** Mean and unbiased variance of each of the two channels. */
function statistics({ data }: HostTensor): readonly (readonly [number, number])[] {
  return [0, 1].map((channel) => {
    const values = [...data].filter((_, i) => i % 2 === channel);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
    return [mean, square];
  });
}

describe('refreshNorms', () => {
  test('updates running statistics with their momentum, and no weights', async () => {
    const refreshed = await refreshNorms(graph, variables, batches);
    const expected = { mean: [0, 0], variance: [1, 1] };
    for (const { input } of batches) {
      const [{ conv: value }] = await activationsAt(graph, [variables], input, {
        nodes: ['conv'],
        isTraining: true,
      });
      for (const [channel, [mean, variance]] of statistics(value).entries()) {
        expected.mean[channel] = 0.75 * expected.mean[channel] + 0.25 * mean;
        expected.variance[channel] = 0.75 * expected.variance[channel] + 0.25 * variance;
      }
    }
    for (const channel of [0, 1]) {
      expect(refreshed['bn/running_mean'].data[channel]).toBeCloseTo(expected.mean[channel], 4);
      expect(refreshed['bn/running_var'].data[channel]).toBeCloseTo(expected.variance[channel], 4);
    }
    expect(refreshed['conv/weight']).toBe(variables['conv/weight']);
    expect([...variables['bn/running_mean'].data]).toEqual([0, 0]);
  });

  test('refuses a network without batch norm and an empty list, and stops on abort', async () => {
    const plain = build<AnyLayer>({ conv: conv(1, 2) });
    await expect(refreshNorms(plain, variables, batches)).rejects.toThrow(/no batch norm/);
    await expect(refreshNorms(graph, variables, [])).rejects.toThrow(TrainError);
    await expect(refreshNorms(graph, variables, batches, AbortSignal.abort())).rejects.toThrow(
      InterruptedError,
    );
  });
});
