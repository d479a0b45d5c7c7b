import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, test } from 'vitest';
import { expectClose } from '../../test/expect-close';
import { createRng } from '../base/rng';
import { withOwnKernels } from '../engine/raw/own-kernels';
import { createSession } from '../engine/session';
import { loadTensorflow } from '../engine/tensorflow';
import { build } from '../graph/build';
import type { Graph, Net } from '../graph/spec';
import { celu, gelu, relu, silu, softplus } from './activation';
import type { ActivationLayer } from './activation';
import { batchNorm, ghostBatchNorm } from './batch-norm';
import { add, flatten } from './combine';
import { conv, linear } from './conv';
import { fuse } from './fuse';
import { initNetwork, parametersOfGraph, pathsByRole, runNetwork } from './network';
import type { AnyLayer } from './network';
import { maxPool } from './pool';

beforeAll(() => {
  loadTensorflow();
});

const input = [null, []] as const;

const fusedIn = (net: Net<AnyLayer>): string[] =>
  [...fuse(build<AnyLayer>({ input, ...net }))]
    .filter(([, { layer }]) => layer !== null && 'activation' in layer)
    .map(([path]) => path);

describe('fuse', () => {
  test.each([relu(), gelu(), silu(), celu(0.3)])('moves %j into the norm before it', (act) => {
    const graph = build<AnyLayer>({ input, conv: conv(3, 4), bn: batchNorm(4), act });
    const fused = fuse(graph);
    expect([...fused.keys()]).toEqual([...graph.keys()]);
    expect(fused.get('bn')).toEqual({
      layer: { ...batchNorm(4), activation: act },
      inputs: ['conv'],
    });
    expect(fused.get('act')).toEqual({ layer: { kind: 'identity' }, inputs: ['bn'] });
    expect(fused.get('conv')).toBe(graph.get('conv'));
    expect(parametersOfGraph(fused).map(({ path }) => path)).toEqual(
      parametersOfGraph(graph).map(({ path }) => path),
    );
    expect(graph.get('bn')?.layer).toEqual(batchNorm(4));
  });

  test('fuses into ghost norms and convolutions with a bias', () => {
    expect(
      fusedIn({
        first: conv(3, 4, { hasBias: true }),
        act: gelu(),
        bn: ghostBatchNorm(4, 2),
        relu: relu(),
      }),
    ).toEqual(['first', 'bn']);
  });

  test.each<[why: string, net: Net<AnyLayer>]>([
    [
      'something else reads the norm',
      { bn: batchNorm(3), act: relu(), sum: [add(), ['act', 'bn']] },
    ],
    ['a convolution has no bias', { conv: conv(3, 4), act: relu() }],
    ['another layer lies between', { bn: batchNorm(3), pool: maxPool(2), act: relu() }],
    ['our own kernels do not support the activation', { bn: batchNorm(3), act: softplus() }],
    ['the activation reads the input', { act: relu() }],
    ['the norm comes last', { act: relu(), bn: batchNorm(3) }],
  ])('changes nothing where %s', (_why, net) => {
    expect(fusedIn(net)).toEqual([]);
  });

  test('fuses only the first of several activations in a row', () => {
    expect(fusedIn({ bn: batchNorm(3), first: relu(), second: gelu() })).toEqual(['bn']);
  });
});

/** A network with every kind of layer that can be fused. */
const network = (act: ActivationLayer): Graph<AnyLayer> =>
  build<AnyLayer>({
    input,
    whiten: conv(3, 10, { size: 2, padding: 0, hasBias: true }),
    act0: act,
    a: { conv: conv(10, 12), pool: maxPool(2), bn: batchNorm(12, { epsilon: 1e-12 }), act },
    b: { conv: conv(12, 20), bn: ghostBatchNorm(20, 2, { momentum: 0.4 }), act },
    sum: [add(), ['b/act', 'b/bn']],
    alone: act,
    pool: maxPool(3),
    flatten: flatten(),
    logits: linear(20, 5),
  });

/** Result, new running statistics and gradients of a network on a batch, by name. */
async function step(
  graph: Graph<AnyLayer>,
  engine: Parameters<typeof createSession>[1],
  isTraining: boolean,
  hasOwn = true,
): Promise<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>> {
  const variables = initNetwork(graph, createRng(5, 'init'));
  const images = createRng(6, 'images').fillUniform(new Float32Array(8 * 9 * 9 * 3), -1, 1);
  const session = createSession({ network: variables }, engine);
  const paths = pathsByRole(graph, 'trainable');
  try {
    const run = session.capture(
      'step',
      (state, fed) => {
        const body = (): Record<string, tf.Tensor> => {
          const forward = (...moving: tf.Tensor[]): ReturnType<typeof runNetwork> =>
            runNetwork(
              graph,
              {
                ...state.network,
                ...Object.fromEntries(paths.map((path, i) => [path, moving[i]])),
              },
              { input: fed.images },
              isTraining,
            );
          const at = paths.map((path) => state.network[path]);
          const { values, running } = forward(...at);
          const gradients = tf.grads((...moving) => {
            const logits = forward(...moving).values.get('logits') as tf.Tensor;
            return logits.mul(logits).sum();
          })(at);
          return {
            logits: values.get('logits') as tf.Tensor,
            ...running,
            ...Object.fromEntries(paths.map((path, i) => [`d ${path}`, gradients[i]])),
          };
        };
        return { outputs: hasOwn ? body() : withOwnKernels(false, body) };
      },
      { images: { shape: [8, 9, 9, 3], data: images } },
    );
    return await run({ images: { shape: [8, 9, 9, 3], data: images } });
  } finally {
    session.dispose();
  }
}

describe.each([relu(), gelu(), silu(), celu(0.3)])('a network with %j', (act) => {
  const plain = network(act);

  test.each([true, false])(
    'fused in fp32, training %j, matches the eager, unfused network',
    async (isTraining) => {
      const expected = await step(plain, { mode: 'eager' }, isTraining);
      const found = await step(fuse(plain), {}, isTraining);
      expect(Object.keys(found)).toEqual(Object.keys(expected));
      for (const [key, value] of Object.entries(expected))
        expectClose(key, found[key], value, 2e-5);
    },
  );

  test('fused in bf16 is as close to fp32 as TensorFlow', async () => {
    const exact = await step(plain, { mode: 'eager' }, true);
    const theirs = await step(plain, { precision: 'bf16' }, true, false);
    const ours = await step(fuse(plain), { precision: 'bf16' }, true);
    const worse = Object.entries(exact).filter(([key, { data }]) => {
      const [own, other] = [ours, theirs].map((found) => distance(found[key].data, data));
      // In both, rounding may change which element of a pooling window is the largest.
      return !(own < 1.5 * other + 0.01);
    });
    expect(worse.map(([key]) => key)).toEqual([]);
  });
});

/** Root mean square of the difference, relative to that of `exact`. */
function distance(found: ArrayLike<number>, exact: ArrayLike<number>): number {
  let [difference, whole] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    difference += (found[i] - exact[i]) ** 2;
    whole += exact[i] ** 2;
  }
  return Math.sqrt(difference / whole);
}
