import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { GraphError, TrainError } from '../base/errors';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { relu } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { crossEntropyLoss } from '../nn/loss';
import { initNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { activationsAlong, activationsAt } from './activations';
import { randomDirection, vectorLayout } from './vector';

const graph = build<AnyLayer>({
  conv: conv(2, 3),
  bn: batchNorm(3),
  act: relu(),
  flatten: flatten(),
  linear: linear(12, 4),
});
const places = [1, 2].map((seed) => initNetwork(graph, createRng(seed)));
const rng = createRng(3, 'input');
const input = {
  shape: [6, 2, 2, 2],
  data: Float32Array.from({ length: 48 }, () => rng.normal()),
};

describe('activationsAt', () => {
  test('uses the weights of each place, and reads the requested number of channels', async () => {
    const both = await activationsAt(graph, places, input, {
      nodes: ['bn', 'linear'],
      isTraining: true,
      channels: 2,
    });
    expect(both.map(({ bn, linear: out }) => [bn.shape, out.shape])).toEqual([
      [
        [6, 2, 2, 2],
        [6, 2],
      ],
      [
        [6, 2, 2, 2],
        [6, 2],
      ],
    ]);
    for (const [index, place] of places.entries()) {
      const [alone] = await activationsAt(graph, [place], input, {
        nodes: ['linear', 'act'],
        isTraining: true,
      });
      expect(alone['linear'].shape).toEqual([6, 4]);
      const firstTwo = [...alone['linear'].data].filter((_, i) => i % 4 < 2);
      expect([...both[index]['linear'].data]).toEqual(firstTwo);
      // The linear layer's values, by hand from those of the layer before it.
      const weight = place['linear/weight'].data;
      const act = alone['act'].data;
      const byHand = Array.from({ length: 12 }, (_, i) => act[i] * weight[i * 4]);
      expect(alone['linear'].data[0]).toBeCloseTo(
        byHand.reduce((sum, part) => sum + part, 0),
        4,
      );
    }
  });

  test('normalises by the batch in training, else by running statistics, and updates neither', async () => {
    const options = { nodes: ['conv', 'bn'] };
    const [training] = await activationsAt(graph, places, input, { ...options, isTraining: true });
    const [running] = await activationsAt(graph, places, input, { ...options, isTraining: false });
    const meanOf = (data: ArrayLike<number>): number =>
      Array.from(data).reduce((sum, x) => sum + x, 0) / data.length;
    expect(meanOf(training['bn'].data)).toBeCloseTo(0, 5);
    // Initial running statistics are 0 and 1, so only epsilon has an effect.
    for (const [i, value] of [...running['bn'].data].entries()) {
      expect(value).toBeCloseTo(running['conv'].data[i], 3);
    }
    expect([...places[0]['bn/running_mean'].data]).toEqual([0, 0, 0]);
  });

  test('leaks no tensor, and names what is missing', async () => {
    const before = tf.memory().numTensors;
    await activationsAt(graph, places, input, { nodes: ['bn'], isTraining: true });
    expect(tf.memory().numTensors).toBe(before);
    const options = { nodes: ['bm'], isTraining: true };
    await expect(activationsAt(graph, places, input, options)).rejects.toThrow(GraphError);
    await expect(activationsAt(graph, places, input, options)).rejects.toThrow(/"bm".*"bn"/);
    await expect(activationsAt(graph, [], input, { nodes: [], isTraining: true })).rejects.toThrow(
      TrainError,
    );
  });
});

describe('activationsAlong', () => {
  const sample = {
    model: { graph, loss: build<AnyLayer>(crossEntropyLoss()) },
    variables: places[0],
    isTraining: true,
  };
  const { size, parts } = vectorLayout(graph);

  test('moves the weights by the distance along each direction, from the same place', async () => {
    // Only the last layer's first weight: the first output moves by the distance times the input of that weight.
    const { from } = parts.find(({ path }) => path === 'linear/weight')!;
    const along = new Float32Array(size);
    along[from] = -5;
    const elsewhere = randomDirection(size, createRng(4));
    const options = { nodes: ['act', 'linear'] };
    const [moved, other] = await activationsAlong(sample, [along, elsewhere], 0.3, input, options);
    const [still] = await activationsAt(graph, [places[0]], input, {
      ...options,
      isTraining: true,
    });
    for (const example of [0, 1, 5]) {
      const change = moved['linear'].data[4 * example] - still['linear'].data[4 * example];
      expect(change).toBeCloseTo(-0.3 * still['act'].data[12 * example], 4);
      expect(moved['linear'].data[4 * example + 1]).toBe(still['linear'].data[4 * example + 1]);
    }
    const [alone] = await activationsAlong(sample, [elsewhere], 0.3, input, options);
    expect([...other['linear'].data]).toEqual([...alone['linear'].data]);
    await expect(activationsAlong(sample, [], 1, input, options)).rejects.toThrow(TrainError);
  });
});
