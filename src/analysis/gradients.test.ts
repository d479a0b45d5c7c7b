import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { batchNorm } from '../nn/batch-norm';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { celu } from '../nn/activation';
import { crossEntropyLoss } from '../nn/loss';
import { initNetwork, runNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { loadTensorflow } from '../engine/tensorflow';
import type { HostBatch } from './fixed-batches';
import { momentGradients, momentsOf } from './gradients';
import type { Moment } from './gradients';
import { dot, norm, perturbed, randomDirection, vectorLayout } from './vector';

loadTensorflow();

function batch(shape: readonly [number, number, number, number], seed: number): HostBatch {
  const rng = createRng(seed, 'batch');
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => rng.normal());
  return { input: { shape, data }, target: { shape: [shape[0]], data: new Int32Array(shape[0]) } };
}

/** Moments in float64 by their definitions: `[moment][channel]`. */
function plainMoments(output: Float32Array, channels: number): Record<Moment, number[]> {
  const columns = Array.from({ length: channels }, (_, c) =>
    [...output].filter((_value, i) => i % channels === c),
  );
  const moments: Record<Moment, number[]> = { mean: [], variance: [], skew: [] };
  for (const column of columns) {
    const count = column.length;
    const mean = column.reduce((sum, x) => sum + x, 0) / count;
    moments.mean.push(mean);
    moments.variance.push(column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (count - 1));
    moments.skew.push(column.reduce((sum, x) => sum + (x - mean) ** 3, 0) / count);
  }
  return moments;
}

test('momentsOf: mean, unbiased variance and third central moment of each channel', () => {
  const output = tf.tensor2d([1, 5, 2, -1, 6, 0, 3, 3], [4, 2]);
  const [mean, variance, skew] = momentsOf(output).arraySync();
  const plain = plainMoments(output.dataSync() as Float32Array, 2);
  for (const c of [0, 1]) {
    expect(mean[c]).toBeCloseTo(plain.mean[c], 5);
    expect(variance[c]).toBeCloseTo(plain.variance[c], 4);
    expect(skew[c]).toBeCloseTo(plain.skew[c], 4);
  }
});

describe('momentGradients', () => {
  const graph = build<AnyLayer>({
    conv: conv(2, 3),
    bn: batchNorm(3),
    act: celu(0.5),
    flatten: flatten(),
    linear: linear(27, 4),
  });
  const model = { graph, loss: build<AnyLayer>(crossEntropyLoss()) };
  const variables = initNetwork(graph, createRng(4));
  const batches = [batch([8, 3, 3, 2], 1), batch([8, 3, 3, 2], 2), batch([8, 3, 3, 2], 3)];

  test.each([true, false])(
    'training %s: equal the slopes of the moments along any direction, averaged over batches',
    async (isTraining) => {
      const progress: string[] = [];
      const gradients = await momentGradients(
        { model, variables, batches, isTraining },
        ['mean', 'variance', 'skew'],
        (done, total) => progress.push(`${done}/${total}`),
      );
      expect(progress).toEqual(Array.from({ length: 12 }, (_, i) => `${i + 1}/12`));
      const layout = vectorLayout(graph);
      const direction = randomDirection(layout.size, createRng(5));
      const momentsAt = (distance: number): Record<Moment, number[]>[] => {
        const moved = perturbed(layout, variables, direction, distance);
        return batches.map(({ input }) =>
          tf.tidy(() => {
            const tensors = Object.fromEntries(
              Object.entries(moved).map(([path, { shape, data }]) => [
                path,
                tf.tensor(data, [...shape]),
              ]),
            );
            const fed = { input: tf.tensor(input.data, [...input.shape]) };
            const { values } = runNetwork(graph, tensors, fed, isTraining);
            return plainMoments(values.get('linear')?.dataSync() as Float32Array, 4);
          }),
        );
      };
      const step = 1e-2;
      const [ahead, behind] = [momentsAt(step), momentsAt(-step)];
      for (const moment of ['mean', 'variance', 'skew'] as const) {
        expect(gradients[moment].length).toBe(4);
        for (const [channel, gradient] of gradients[moment].entries()) {
          const slope =
            ahead.reduce(
              (sum, moments, i) => sum + moments[moment][channel] - behind[i][moment][channel],
              0,
            ) /
            (2 * step * batches.length);
          expect(Math.abs(dot(gradient, direction) - slope)).toBeLessThan(2e-3 * norm(gradient));
        }
      }
    },
  );

  test('computes only the requested moments, leaks no tensor, and can be stopped', async () => {
    const before = tf.memory().numTensors;
    const sample = { model, variables, batches, isTraining: true };
    const gradients = await momentGradients(sample, ['variance']);
    expect([gradients.mean.length, gradients.variance.length, gradients.skew.length]).toEqual([
      0, 4, 0,
    ]);
    const signal = AbortSignal.abort();
    await expect(momentGradients({ ...sample, signal }, ['skew'])).rejects.toThrow(
      /stopped at the skew of channel 0/,
    );
    await expect(momentGradients({ ...sample, batches: [] })).rejects.toThrow(/batches is empty/);
    expect(tf.memory().numTensors).toBe(before);
  });
});
