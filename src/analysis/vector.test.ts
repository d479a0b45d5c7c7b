import { describe, expect, test } from 'vitest';
import { LayerError } from '../base/errors';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { batchNorm } from '../nn/batch-norm';
import { flatten } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { countTrainable, initNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import {
  dot,
  norm,
  perturbed,
  randomDirection,
  squaredNorms,
  toRecord,
  toVector,
  vectorLayout,
} from './vector';

const graph = build<AnyLayer>({
  conv: conv(3, 4),
  bn: batchNorm(4, { isScaleFrozen: true }),
  flatten: flatten(),
  fc: linear(16, 10, { hasBias: true }),
});
const layout = vectorLayout(graph);
const variables = initNetwork(graph, createRng(3));

describe('a network as a vector', () => {
  test('has the trainable tensors, in order, and nothing else', () => {
    expect(layout.size).toBe(countTrainable(graph));
    expect(layout.parts.map(({ path, from, to }) => [path, from, to])).toEqual([
      ['conv/weight', 0, 108],
      ['bn/bias', 108, 112],
      ['fc/weight', 112, 272],
      ['fc/bias', 272, 282],
    ]);
  });

  test('round-trips unchanged', () => {
    const vector = toVector(layout, variables);
    expect(toVector(layout, toRecord(layout, vector))).toEqual(vector);
    expect(toRecord(layout, vector)['fc/weight']).toEqual(variables['fc/weight']);
    expect(squaredNorms(layout, vector)['fc/bias']).toBeCloseTo(
      norm(variables['fc/bias'].data as Float32Array) ** 2,
      10,
    );
  });

  test('moves by a distance, whatever the length of the direction', () => {
    const direction = randomDirection(layout.size, createRng(5));
    const moved = perturbed(
      layout,
      variables,
      direction.map((x) => 7 * x),
      0.6,
    );
    const [before, after] = [variables, moved].map((record) => toVector(layout, record));
    const step = after.map((x, i) => x - before[i]);
    expect(norm(step)).toBeCloseTo(0.6, 5);
    expect(dot(step, direction)).toBeCloseTo(0.6, 5);
    expect(moved['bn/weight']).toBe(variables['bn/weight']);
    expect(toVector(layout, variables)).toEqual(before);
  });

  test('random directions have length 1 and do not repeat', () => {
    const [a, b] = [1, 2].map((seed) => randomDirection(1000, createRng(seed)));
    expect(norm(a)).toBeCloseTo(1, 6);
    expect(Math.abs(dot(a, b))).toBeLessThan(0.15);
  });

  test('refuses tensors and vectors of another network', () => {
    expect(() => toVector(layout, { ...variables, 'bn/bias': variables['fc/bias'] })).toThrow(
      /"bn\/bias" is \[10\]; expected \[4\]/,
    );
    expect(() => toRecord(layout, new Float32Array(3))).toThrow(LayerError);
    expect(() => perturbed(layout, variables, new Float32Array(layout.size), 1)).toThrow(/zero/);
  });
});
