import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { createRng } from '../base/rng';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import type { Net } from '../graph/spec';
import { relu } from './activation';
import { batchNorm } from './batch-norm';
import { add, flatten } from './combine';
import { conv, linear } from './conv';
import { initNetwork, runNetwork } from './network';
import type { AnyLayer, Variables } from './network';
import { maxPool } from './pool';
import { trimNetwork } from './trim';

beforeAll(() => {
  loadTensorflow();
});

const trimmedIn = (net: Net<AnyLayer>): string[] =>
  [...trimNetwork(build(net))]
    .filter(([, { layer }]) => layer?.kind === 'conv' && layer.isTrimmed === true)
    .map(([path]) => path);

describe('trimNetwork', () => {
  test('trims a convolution that only a 2x2 max pooling reads, also through activations', () => {
    expect(
      trimmedIn({
        input: [null, []],
        first: conv(3, 4),
        pool1: maxPool(2),
        second: conv(4, 4),
        relu: relu(),
        pool2: maxPool(2),
        last: conv(4, 4),
      }),
    ).toEqual(['first', 'second']);
  });

  test.each<[why: string, net: Net<AnyLayer>]>([
    ['a norm reads every output', { conv: conv(3, 4), bn: batchNorm(4), pool: maxPool(2) }],
    ['windows overlap', { conv: conv(3, 4), pool: maxPool(2, 1) }],
    ['windows are larger', { conv: conv(3, 4), pool: maxPool(3) }],
    ['the kernel is larger', { conv: conv(3, 4, { size: 5 }), pool: maxPool(2) }],
    ['it has no padding', { conv: conv(3, 4, { padding: 0 }), pool: maxPool(2) }],
    ['another layer reads it', { conv: conv(3, 4), pool: maxPool(2), sum: [relu(), ['conv']] }],
    ['it is the output', { conv: conv(3, 4) }],
  ])('does not trim a convolution where %s', (_why, net) => {
    expect(trimmedIn({ input: [null, []], ...net })).toEqual([]);
  });

  test('keeps the output and every gradient, for odd and even images', () => {
    const net: Net<AnyLayer> = {
      input: [null, []],
      a: { conv: conv(3, 4, { hasBias: true }), pool: maxPool(2), relu: relu() },
      b: { conv: conv(4, 5), relu: relu(), pool: maxPool(2) },
      c: { conv: conv(5, 5), add: [add(), ['conv', '../b/pool']], pool: maxPool(3) },
      flatten: flatten(),
      logits: linear(5, 2),
    };
    const whole = build(net);
    const trimmed = trimNetwork(whole);
    const start = initNetwork(whole, createRng(3, 'init'));
    const paths = Object.keys(start);
    for (const [height, width] of [
      [15, 15],
      [13, 14],
      [12, 12],
    ]) {
      const rng = createRng(height, 'images');
      const images = rng.fillUniform(new Float32Array(2 * height * width * 3), -1, 1);
      const results = [whole, trimmed].map((graph) =>
        tf.tidy(() => {
          const input = tf.tensor4d(images, [2, height, width, 3]);
          const run = (...values: tf.Tensor[]): tf.Tensor => {
            const variables = Object.fromEntries(
              paths.map((path, index) => [path, values[index]]),
            ) as Variables;
            return runNetwork(graph, variables, { input }, true).values.get('logits') as tf.Tensor;
          };
          const values = paths.map((path) =>
            tf.tensor(start[path].data as Float32Array, [...start[path].shape]),
          );
          const gradients = tf.grads((...moving) =>
            run(...moving)
              .square()
              .sum(),
          )(values);
          return [run(...values), ...gradients].map((t) => ({
            shape: t.shape,
            data: t.dataSync(),
          }));
        }),
      );
      for (const [index, value] of results[1].entries()) {
        expectClose(`${height}x${width} ${['logits', ...paths][index]}`, value, results[0][index]);
      }
    }
  });

  test('leaves the rest of the network unchanged', () => {
    const graph = build<AnyLayer>({ input: [null, []], conv: conv(3, 4), pool: maxPool(2) });
    const trimmed = trimNetwork(graph);
    expect(trimmed.get('pool')).toBe(graph.get('pool'));
    expect(trimmed.get('conv')).toEqual({
      layer: { ...conv(3, 4), isTrimmed: true },
      inputs: ['input'],
    });
    expect(conv(3, 4, { isTrimmed: true })).toEqual({ ...conv(3, 4), isTrimmed: true });
  });
});
