import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { GraphError, LayerError } from '../base/errors';
import { createRng } from '../base/rng';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import type { Graph } from '../graph/spec';
import { relu } from './activation';
import { batchNorm } from './batch-norm';
import { add, flatten, identity } from './combine';
import { conv, linear } from './conv';
import { countTrainable, initNetwork, parametersOfGraph, pathsByRole, runNetwork } from './network';
import type { AnyLayer, Variables } from './network';
import { maxPool } from './pool';

beforeAll(() => {
  loadTensorflow();
});

const graph: Graph<AnyLayer> = build<AnyLayer>({
  whiten: conv(3, 4, { size: 1, isFrozen: true }),
  block: {
    in: identity(),
    conv: conv(4, 4),
    norm: batchNorm(4),
    act: relu(),
    add: [add(), ['in', 'act']],
  },
  pool: maxPool(4),
  flatten: flatten(),
  linear: linear(4, 2, { hasBias: true }),
});

function variables(): Variables {
  return Object.fromEntries(
    Object.entries(initNetwork(graph, createRng(1, 'init'))).map(([path, { shape, data }]) => [
      path,
      tf.tensor(data, shape as number[]),
    ]),
  );
}

const image = (): tf.Tensor4D => tf.randomNormal([2, 4, 4, 3], 0, 1, 'float32', 1);

describe('runNetwork', () => {
  test('returns every activation by path, fed ones included', () => {
    const input = image();
    const { values } = runNetwork(graph, variables(), { input }, false);
    expect([...values.keys()]).toEqual([...graph.keys()]);
    expect(values.get('input')).toBe(input);
    expect(values.get('linear')?.shape).toEqual([2, 2]);
    const [a, b, sum] = ['whiten', 'block/act', 'block/add'].map((path) => {
      return values.get(path)?.dataSync() as Float32Array;
    });
    expect(sum).toEqual(a.map((x, i) => Math.fround(x + b[i])));
  });

  test('all later nodes read a fed activation unchanged', () => {
    const injected = tf.ones([2, 4, 4, 4]).mul(7);
    const feeds = { input: image(), 'block/add': injected };
    const { values } = runNetwork(graph, variables(), feeds, false);
    expect([...(values.get('flatten')?.dataSync() ?? [])]).toEqual([7, 7, 7, 7, 7, 7, 7, 7]);
  });

  test('returns running statistics in training only, by the path of the variable', () => {
    const own = variables();
    const names = ['block/norm/running_mean', 'block/norm/running_var'];
    expect(Object.keys(runNetwork(graph, own, { input: image() }, true).running)).toEqual(names);
    expect(runNetwork(graph, own, { input: image() }, false).running).toEqual({});
  });

  test('names what is missing or unknown, with the nearest match', () => {
    const own = variables();
    const { 'block/conv/weight': _, ...others } = own;
    const input = image();
    expect(() => runNetwork(graph, own, {}, false)).toThrow(
      /"input" has no layer, so it must be fed/,
    );
    expect(() => runNetwork(graph, own, { imput: input }, false)).toThrow(
      /"imput" is fed, but the network has no such node. Nearest: "input"/,
    );
    const found = (): unknown => runNetwork(graph, others, { input }, false);
    expect(found).toThrow(GraphError);
    expect(found).toThrow(/no variable "block\/conv\/weight"/);
  });

  test("names the node whose input has a wrong shape, and keeps the layer's error as the cause", () => {
    const wrong = build<AnyLayer>({ prep: { conv: conv(5, 4) } });
    const run = (): unknown =>
      runNetwork(wrong, { 'prep/conv/weight': tf.zeros([3, 3, 5, 4]) }, { input: image() }, false);
    expect(run).toThrow(LayerError);
    expect(run).toThrow(/^"prep\/conv": conv: the input has shape \[2,4,4,3\]/);
    expect(run).toThrow(expect.objectContaining({ cause: expect.any(LayerError) as LayerError }));
  });
});

describe('variables', () => {
  test('are listed in order of evaluation, by role', () => {
    expect(parametersOfGraph(graph).map(({ path }) => path)).toEqual([
      'whiten/weight',
      'block/conv/weight',
      'block/norm/weight',
      'block/norm/bias',
      'block/norm/running_mean',
      'block/norm/running_var',
      'linear/weight',
      'linear/bias',
    ]);
    expect(pathsByRole(graph, 'frozen')).toEqual(['whiten/weight']);
    expect(pathsByRole(graph, 'running')).toHaveLength(2);
    expect(pathsByRole(graph, 'trainable')).toHaveLength(5);
    expect(countTrainable(graph)).toBe(3 * 3 * 4 * 4 + 4 + 4 + 4 * 2 + 2);
  });

  test('start the same for the same seed, and differ from each other', () => {
    const init = (seed: number): readonly number[][] =>
      Object.values(initNetwork(graph, createRng(seed, 'init'))).map(({ data }) => [...data]);
    expect(init(1)).toEqual(init(1));
    expect(init(1)[1]).not.toEqual(init(2)[1]);
    const [whiten, inner] = init(1);
    expect(inner.slice(0, whiten.length)).not.toEqual(whiten);
  });
});
