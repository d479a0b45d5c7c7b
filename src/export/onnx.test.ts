import { describe, expect, test } from 'vitest';
import type { HostTensor } from '../base/host-tensor';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import type { Graph } from '../graph/spec';
import { gelu, softplus } from '../nn/activation';
import { batchNorm } from '../nn/batch-norm';
import { concat, flatten, identity } from '../nn/combine';
import { conv, linear } from '../nn/conv';
import { initNetwork } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { avgPool, maxPool } from '../nn/pool';
import { freeze } from './frozen-graph';
import type { FrozenGraph } from './frozen-graph';
import type { FrozenNode } from './frozen-node';
import { onnxModel } from './onnx';

/** These tests check the content of the files; `npm run test:formats` compares what onnxruntime computes from them. */
const normalisation = { mean: [1, 2, 3], std: [4, 5, 6] } as const;

function frozenOf(graph: Graph<AnyLayer>, tta = false): FrozenGraph {
  return freeze(graph, initNetwork(graph, createRng(0, 'init')), { normalisation, tta });
}

/** The fields of a protobuf message: numbers or bytes. */
function fieldsOf(message: Uint8Array): [field: number, value: number | Buffer][] {
  const found: [number, number | Buffer][] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < message.length) {
    const key = varint();
    if ((key & 7) === 0) {
      found.push([key >> 3, varint()]);
      continue;
    }
    const length = (key & 7) === 5 ? 4 : varint();
    found.push([key >> 3, Buffer.from(message.subarray(at, at + length))]);
    at += length;
  }
  return found;
}
const all = (message: Uint8Array, field: number): Buffer[] =>
  fieldsOf(message).flatMap(([key, value]) => (key === field ? [value as Buffer] : []));
const textOf = (message: Uint8Array, field: number): string => String(all(message, field)[0]);

function read(model: Uint8Array): {
  readonly nodes: Map<string, { op: string; inputs: string[] }>;
  readonly tensors: Map<string, Buffer>;
} {
  const [graph] = all(model, 7);
  return {
    nodes: new Map(
      all(graph, 1).map((node) => {
        return [textOf(node, 3), { op: textOf(node, 4), inputs: all(node, 1).map(String) }];
      }),
    ),
    tensors: new Map(all(graph, 5).map((tensor) => [textOf(tensor, 8), tensor])),
  };
}
const shapeOf = (tensor: Buffer): number[] => [...all(tensor, 1)[0]];
const numbersOf = (tensor: Buffer): Float32Array =>
  new Float32Array(new Uint8Array(all(tensor, 9)[0]).buffer);

describe('onnxModel', () => {
  const graph = build<AnyLayer>({
    input: [null, []],
    first: conv(3, 4, { stride: 2, padding: 1, hasBias: true }),
    bn: batchNorm(4),
    soft: softplus({ beta: 2 }),
    both: [concat(), ['bn', 'soft']],
    gelu: gelu(),
    max: maxPool(4),
    avg: avgPool(2),
    flat: flatten(),
    linear: linear(32, 10),
    logits: identity(),
  });

  test('writes every operation, channels first', () => {
    const { nodes } = read(onnxModel(frozenOf(graph)));
    const ops = [...nodes].map(([name, { op }]) => `${name.replace('network/', '')} ${op}`);
    expect(ops).toEqual([
      'images/nchw Transpose',
      'normalise/sub Sub',
      'normalise Div',
      'first/pad Pad',
      'first/product Conv',
      'first Add',
      'bn BatchNormalization',
      'soft/scaled Mul',
      'soft/soft Softplus',
      'soft/curve Div',
      'soft/is-linear Greater',
      'soft Where',
      'both Concat',
      'gelu/scaled Mul',
      'gelu/erf Erf',
      'gelu/twice Add',
      'gelu/half Mul',
      'gelu Mul',
      'max MaxPool',
      'avg AveragePool',
      'flat/nhwc Transpose',
      'flat Reshape',
      'linear MatMul',
      'logits Identity',
      'logits Identity',
      'probabilities Softmax',
    ]);
    expect(nodes.get('normalise/sub')?.inputs).toEqual(['images/nchw', 'normalise/mean']);
  });

  test('kernels are [cout,cin,kh,kw], and per-channel constants broadcast over [N,C,H,W]', () => {
    const frozen = frozenOf(graph);
    const { tensors } = read(onnxModel(frozen));
    const kernel = tensors.get('network/first/weight') as Buffer;
    expect(shapeOf(kernel)).toEqual([4, 3, 3, 3]);
    const before = frozen.nodes.find(({ name }) => name === 'network/first/weight');
    const { value } = (before as FrozenNode).attributes.value as { value: HostTensor };
    // Row 1, column 2, input 0, output 3.
    expect(numbersOf(kernel)[((3 * 3 + 0) * 3 + 1) * 3 + 2]).toBe(
      value.data[((1 * 3 + 2) * 3 + 0) * 4 + 3],
    );
    expect(shapeOf(tensors.get('normalise/mean') as Buffer)).toEqual([3, 1, 1]);
    expect(numbersOf(tensors.get('normalise/mean') as Buffer)).toEqual(Float32Array.of(1, 2, 3));
    expect(shapeOf(tensors.get('network/first/bias') as Buffer)).toEqual([4, 1, 1]);
    expect(shapeOf(tensors.get('network/bn/weight') as Buffer)).toEqual([4]);
  });

  test('stores weights once, even with mirror images', () => {
    const { nodes, tensors } = read(onnxModel(frozenOf(graph, true)));
    expect(nodes.get('mirror')?.op).toBe('Slice');
    expect(nodes.get('mirrored/first/product')?.inputs[1]).toBe('network/first/weight');
    const [names, plain] = [[...tensors.keys()], read(onnxModel(frozenOf(graph))).tensors];
    expect(names.filter((name) => name.endsWith('weight'))).toEqual(
      [...plain.keys()].filter((name) => name.endsWith('weight')),
    );
  });

  test('rejects an unknown operation by name', () => {
    const frozen = frozenOf(graph);
    const odd = { name: 'odd', op: 'Cumsum', inputs: ['logits'], attributes: {} };
    expect(() => onnxModel({ ...frozen, nodes: [...frozen.nodes, odd] })).toThrow(
      'onnx: "odd" is Cumsum, which has no ONNX translation.',
    );
  });
});
