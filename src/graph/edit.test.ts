import * as fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { GraphError } from '../base/errors';
import { build } from './build';
import { mapLayers, mapTypes, override, removeByType, reorder, union } from './edit';
import type { Graph, Layer, Leaf, Net } from './spec';

type Conv = { readonly kind: 'conv'; readonly cout: number };
type Norm = { readonly kind: 'batch-norm' | 'ghost-batch-norm'; readonly channels: number };
type Plain = { readonly kind: 'relu' | 'add' | 'identity' };
type Celu = { readonly kind: 'celu'; readonly alpha: number };
type Any = Conv | Norm | Plain;

const conv = (cout: number): Conv => ({ kind: 'conv', cout });
const bn = (channels: number): Norm => ({ kind: 'batch-norm', channels });
const relu: Plain = { kind: 'relu' };
const identity: Plain = { kind: 'identity' };
const add: Plain = { kind: 'add' };

const convBn = (cout: number): Net<Any> => ({ conv: conv(cout), bn: bn(cout), relu });
const net: Net<Any> = {
  prep: convBn(8),
  layer1: {
    ...convBn(16),
    residual: { in: identity, res: convBn(16), add: [add, ['in', 'res/relu']] },
  },
  target: [null, []],
};

function kindsOf(graph: Graph<Layer>): Record<string, string | undefined> {
  return Object.fromEntries([...graph].map(([path, { layer }]) => [path, layer?.kind]));
}

describe('union', () => {
  test('replaces in place and appends', () => {
    const merged = union<Layer>({ prep: conv(1), pool: relu }, { loss: add, prep: bn(2) });
    expect(Object.entries(merged)).toEqual([
      ['prep', bn(2)],
      ['pool', relu],
      ['loss', add],
    ]);
  });

  test('replaces inner dictionaries whole', () => {
    expect(union<Layer>({ a: { x: relu, y: add } }, { a: { y: relu } })).toEqual({
      a: { y: relu },
    });
  });

  test('of nothing is the empty network', () => {
    expect(union()).toEqual({});
  });
});

describe('reorder', () => {
  test('sorts the members by the keys', () => {
    const block = reorder({ conv: conv(1), norm: bn(1), act: relu }, ['conv', 'act', 'norm']);
    expect(Object.keys(block)).toEqual(['conv', 'act', 'norm']);
    expect(build({ block }).get('block/norm')?.inputs).toEqual(['block/act']);
  });

  test.each([
    [['conv', 'nrm', 'act'], 'reorder: the block has no "nrm". Nearest: "norm".'],
    [['conv', 'norm'], 'reorder: "act" is missing. Name every member of the block once.'],
    [['conv', 'norm', 'act', 'conv'], 'reorder: "conv" is named twice. Name it once.'],
  ])('refuses %j', (keys, message) => {
    const block: Net<Any> = { conv: conv(1), norm: bn(1), act: relu };
    expect(() => reorder(block, keys)).toThrow(new GraphError(message));
  });

  test('keeps every member and can be undone', () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}$/));
    const shuffled = names.chain((keys) =>
      fc.tuple(fc.constant(keys), fc.shuffledSubarray(keys, { minLength: keys.length })),
    );
    fc.assert(
      fc.property(shuffled, ([keys, order]) => {
        const block = Object.fromEntries(keys.map((key, at) => [key, conv(at)]));
        const there = reorder(block, order);
        expect(Object.keys(there)).toEqual(order);
        expect(Object.entries(reorder(there, keys))).toEqual(Object.entries(block));
      }),
    );
  });
});

describe('mapLayers', () => {
  test('changes only layers, and passes their paths', () => {
    const seen: string[] = [];
    const changed = mapLayers<Any, Conv>((layer, path) => {
      seen.push(`${path} ${layer.kind}`);
      return conv(seen.length);
    }, net);
    expect(seen.slice(0, 4)).toEqual([
      'prep/conv conv',
      'prep/bn batch-norm',
      'prep/relu relu',
      'layer1/conv conv',
    ]);
    const before = build(net);
    const after = build(changed);
    expect([...after].map(([path, { inputs }]) => [path, inputs])).toEqual(
      [...before].map(([path, { inputs }]) => [path, inputs]),
    );
    expect(new Set([...after.values()].map(({ layer }) => layer?.kind))).toEqual(
      new Set([undefined, 'conv']),
    );
  });
});

describe('mapTypes', () => {
  test('swaps kinds everywhere and passes the old layer', () => {
    const swapped = mapTypes(
      {
        'batch-norm': (norm): Any => ({ ...norm, kind: 'ghost-batch-norm' }),
        relu: () => identity,
      },
      net,
    );
    const graph = build(swapped);
    expect(graph.get('layer1/residual/res/bn')?.layer).toEqual({
      kind: 'ghost-batch-norm',
      channels: 16,
    });
    expect(Object.values(kindsOf(graph))).not.toContain('relu');
    expect(Object.values(kindsOf(graph))).not.toContain('batch-norm');
    expect(graph.get('layer1/residual/add')).toEqual({
      layer: add,
      inputs: ['layer1/residual/in', 'layer1/residual/res/relu'],
    });
    expect(build(net).get('prep/relu')?.layer).toBe(relu);
  });

  test('types: a change gets the layers of its kind, new kinds join the union', () => {
    const celu: Celu = { kind: 'celu', alpha: 0.3 };
    const swapped: Net<Any | Celu> = mapTypes({ relu: () => celu }, net);
    mapTypes(
      {
        conv: (layer) => {
          expectTypeOf(layer).toEqualTypeOf<Conv>();
          return layer;
        },
      },
      net,
    );
    mapTypes(
      {
        'batch-norm': (layer) => {
          expectTypeOf(layer).toEqualTypeOf<Norm>();
          return layer;
        },
      },
      net,
    );
    expect(kindsOf(build(swapped))['prep/relu']).toBe('celu');
  });

  test('refuses a kind that does not occur and names the nearest one', () => {
    const change = { rellu: () => relu } as Record<string, (layer: Layer) => Layer>;
    expect(() => mapTypes<Layer, Layer>(change, net)).toThrow(
      new GraphError('mapTypes: the network has no layer of kind "rellu". Nearest: "relu".'),
    );
  });
});

describe('override', () => {
  test('by path: a layer or a function keeps the inputs, a pair replaces them', () => {
    const graph = build(
      override<Any>(
        {
          paths: {
            'layer1/residual/add': identity,
            'layer1/conv': (layer) => ({ ...(layer as Conv), cout: 99 }),
            'layer1/relu': [relu, ['conv']],
          },
        },
        net,
      ),
    );
    expect(graph.get('layer1/residual/add')).toEqual({
      layer: identity,
      inputs: ['layer1/residual/in', 'layer1/residual/res/relu'],
    });
    expect(graph.get('layer1/conv')).toEqual({ layer: conv(99), inputs: ['prep/relu'] });
    expect(graph.get('layer1/relu')?.inputs).toEqual(['layer1/conv']);
    expect([...graph.keys()]).toEqual([...build(net).keys()]);
  });

  test('by path: a dictionary replaces a block or a node', () => {
    const graph = build(
      override<Any>(
        { paths: { 'layer1/residual': {}, prep: { whiten: conv(27), conv: conv(8) } } },
        net,
      ),
    );
    expect([...graph.keys()]).toEqual([
      'input',
      'prep/whiten',
      'prep/conv',
      'layer1/conv',
      'layer1/bn',
      'layer1/relu',
      'target',
    ]);
  });

  test('a path overrides a kind and gets the original layer', () => {
    const graph = build(
      override<Any>(
        { kinds: { 'batch-norm': () => identity }, paths: { 'prep/bn': (layer) => layer } },
        net,
      ),
    );
    expect(graph.get('prep/bn')?.layer).toEqual(bn(8));
    expect(graph.get('layer1/bn')?.layer).toBe(identity);
    expect(graph.get('layer1/residual/res/bn')?.layer).toBe(identity);
  });

  test('changes nothing without changes', () => {
    expect(override({}, net)).toEqual(net);
  });

  test.each([
    [
      { 'layer1/convv': relu },
      'override: the network has no node or block "layer1/convv". Nearest: "layer1/conv".',
    ],
    [
      { layer1: convBn(4), 'layer1/conv': conv(4) },
      'override: "layer1/conv" lies inside "layer1", which is replaced as a whole. Change it there.',
    ],
    [
      { prep: () => relu },
      'override: "prep" is a block, so a function cannot replace its layer. Give the new part itself.',
    ],
    [
      { target: () => relu },
      'override: "target" is a node without a layer, so a function cannot replace its layer. Give the new part itself.',
    ],
  ])('refuses %j', (changes, message) => {
    expect(() => override<Any>({ paths: changes }, net)).toThrow(new GraphError(message));
  });

  test('refuses a kind that does not occur', () => {
    expect(() =>
      override<Layer>({ kinds: { 'batch-nrm': () => relu }, paths: { prep: {} } }, net),
    ).toThrow('has no layer of kind "batch-nrm". Nearest: "batch-norm".');
  });
});

describe('removeByType', () => {
  test('rewires the readers, through chains too', () => {
    const graph = build<Any>({
      conv: conv(1),
      a: identity,
      b: identity,
      sum: [add, ['a', 'b']],
      logits: identity,
    });
    expect([...removeByType(graph)].map(([path, { inputs }]) => [path, inputs])).toEqual([
      ['input', []],
      ['conv', ['input']],
      ['sum', ['conv', 'conv']],
    ]);
  });

  test('removes the given kinds and ignores those that do not occur', () => {
    const graph = build(net);
    const kinds = Object.values(kindsOf(removeByType(graph, ['relu', 'batch-norm', 'absent'])));
    expect(kinds).not.toContain('relu');
    expect(kinds).not.toContain('batch-norm');
    expect(kinds).toContain('identity');
    expect([...removeByType(graph, [])]).toEqual([...graph]);
  });

  test('refuses a node with several inputs', () => {
    expect(() => removeByType(build(net), ['add'])).toThrow(
      new GraphError(
        'removeByType: "layer1/residual/add" (add) has 2 inputs, expected 1. ' +
          'Only nodes that pass one input on can be removed.',
      ),
    );
  });

  test('the remaining nodes compute the same values', () => {
    // Each node as an expression of its inputs; an identity is its input.
    const evaluate = (graph: Graph<Layer>): Map<string, string> => {
      const values = new Map<string, string>();
      for (const [path, { layer, inputs }] of graph) {
        const read = inputs.map((input) => values.get(input));
        values.set(path, layer?.kind === 'identity' ? `${read[0]}` : `${path}(${read.join()})`);
      }
      return values;
    };
    const nodes = fc.array(fc.record({ isIdentity: fc.boolean(), a: fc.nat(), b: fc.nat() }));
    fc.assert(
      fc.property(nodes, (sketch) => {
        const flat = sketch.map(({ isIdentity, a, b }, at): [string, Leaf<Any>] => {
          const back = (pick: number): number => -1 - (pick % (at + 1));
          return [`n${at}`, isIdentity ? [identity, back(a)] : [add, [back(a), back(b)]]];
        });
        const graph = build<Any>(Object.fromEntries(flat));
        const whole = evaluate(graph);
        const kept = removeByType(graph);
        expect(Object.values(kindsOf(kept))).not.toContain('identity');
        for (const [path, value] of evaluate(kept)) expect(value).toBe(whole.get(path));
        expect(kept.size).toBe(graph.size - sketch.filter((node) => node.isIdentity).length);
      }),
    );
  });
});
