import { posix } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphError } from '../base/errors';
import { build, paths } from './build';
import type { Graph, InputRef, Layer, Leaf, Net } from './spec';

const conv: Layer = { kind: 'conv' };
const relu: Layer = { kind: 'relu' };
const add: Layer = { kind: 'add' };
const fed: Leaf<Layer> = [null, []];

const convBlock: Net<Layer> = { conv, relu };
const residual: Net<Layer> = {
  in: { kind: 'identity' },
  res1: convBlock,
  res2: convBlock,
  add: [add, ['in', 'res2/relu']],
};

function inputsOf(graph: Graph<Layer>): Record<string, readonly string[]> {
  return Object.fromEntries([...graph].map(([path, node]) => [path, node.inputs]));
}

describe('paths', () => {
  test('go depth-first in insertion order', () => {
    const net = { b: conv, a: { z: relu, y: { x: add } }, c: fed };
    expect([...paths(net)]).toEqual([
      ['b', conv],
      ['a/z', relu],
      ['a/y/x', add],
      ['c', fed],
    ]);
  });

  test('treat a dictionary with a key "kind" as a dictionary', () => {
    expect([...paths({ block: { kind: conv } })]).toEqual([['block/kind', conv]]);
  });
});

describe('build', () => {
  test('resolves default, relative, upward and offset inputs', () => {
    const net: Net<Layer> = {
      prep: convBlock,
      layer1: { pool: relu, residual },
      twice: [add, [-1, -2]],
      far: [relu, 'layer1/residual/res1/conv'],
      tail: { up: [add, ['../prep/conv', '../layer1/pool']], same: [relu, -1] },
    };
    expect(inputsOf(build(net))).toEqual({
      input: [],
      'prep/conv': ['input'],
      'prep/relu': ['prep/conv'],
      'layer1/pool': ['prep/relu'],
      'layer1/residual/in': ['layer1/pool'],
      'layer1/residual/res1/conv': ['layer1/residual/in'],
      'layer1/residual/res1/relu': ['layer1/residual/res1/conv'],
      'layer1/residual/res2/conv': ['layer1/residual/res1/relu'],
      'layer1/residual/res2/relu': ['layer1/residual/res2/conv'],
      'layer1/residual/add': ['layer1/residual/in', 'layer1/residual/res2/relu'],
      twice: ['layer1/residual/add', 'layer1/residual/res2/relu'],
      far: ['layer1/residual/res1/conv'],
      'tail/up': ['prep/conv', 'layer1/pool'],
      'tail/same': ['tail/up'],
    });
  });

  test('keeps the layers themselves', () => {
    const graph = build({ prep: { conv }, sum: [add, ['input', 'prep/conv']] });
    expect([...graph.values()].map((node) => node.layer)).toEqual([null, conv, add]);
  });

  test('adds no input to a network that starts with a fed node', () => {
    const loss = { logits: fed, target: fed, loss: [conv, ['logits', 'target']] as const };
    expect([...build(loss).keys()]).toEqual(['logits', 'target', 'loss']);
    expect([...build({ input: fed, conv }).keys()]).toEqual(['input', 'conv']);
    expect([...build({ block: { image: fed, conv } }).keys()]).toEqual([
      'block/image',
      'block/conv',
    ]);
  });

  test('accepts a fed node anywhere', () => {
    expect(inputsOf(build({ conv, target: fed, loss: [add, ['conv', 'target']] }))).toEqual({
      input: [],
      conv: ['input'],
      target: [],
      loss: ['conv', 'target'],
    });
  });

  test('reduces an empty network to its input and drops an empty dictionary', () => {
    expect(inputsOf(build({}))).toEqual({ input: [] });
    expect(inputsOf(build({ conv, extra: {}, relu }))).toEqual({
      input: [],
      conv: ['input'],
      relu: ['conv'],
    });
  });
});

describe('build refuses', () => {
  const layer1 = (ref: InputRef): Net<Layer> => ({
    layer1: { residual: { ...residual, add: [add, ['in', ref]] } },
  });
  const faults: readonly (readonly [what: string, net: Net<Layer>, message: string])[] = [
    [
      'a misspelt node',
      layer1('res3/relu'),
      'graph: "layer1/residual/add" reads "res3/relu", which is "layer1/residual/res3/relu"; no such node. ' +
        'Nearest: "layer1/residual/res1/relu".',
    ],
    [
      'a path relative to the wrong place',
      { stage: { pool: conv, next: relu }, cool: conv, sum: [add, ['pool']] },
      'graph: "sum" reads "pool"; no such node. Nearest: "stage/pool".',
    ],
    [
      'a name that resembles no node',
      { conv, sum: [add, 'somewhere'] },
      'graph: "sum" reads "somewhere"; no such node.',
    ],
    [
      'a block',
      layer1('res2'),
      'graph: "layer1/residual/add" reads "res2", which is "layer1/residual/res2"; that is a block. ' +
        'Name a node in it; its last is "layer1/residual/res2/relu".',
    ],
    [
      'a node that comes later',
      { sum: [add, 'conv'], conv },
      'graph: "sum" reads "conv"; it comes later. A node reads only nodes before it: move "conv" up.',
    ],
    [
      'a node that reads itself',
      { a: { sum: [add, '../a/sum'] } },
      'graph: "a/sum" reads "../a/sum", which is "a/sum": itself. A node reads only nodes before it.',
    ],
    [
      'a path above the top',
      { a: { sum: [add, '../../conv'] } },
      'graph: "a/sum" reads "../../conv", which climbs out of the network. ' +
        `A path starts at the node's parent; ".." climbs one dictionary.`,
    ],
    [
      'an offset before the first node',
      { conv, sum: [add, -3] },
      'graph: "sum" reads the node at offset -3, but it is node 2 of 3, counted from 0. ' +
        'Offsets are negative whole numbers, -1 being the node before.',
    ],
    [
      'an offset that is not negative',
      { conv, sum: [add, 0], relu },
      'graph: "sum" reads the node at offset 0, but it is node 2 of 4, counted from 0. ' +
        'Offsets are negative whole numbers, -1 being the node before.',
    ],
    [
      'a second node called input',
      { conv, input: fed },
      'graph: the network starts with "conv" and has a node "input" too. ' +
        'Move "input" to the front as [null, []], or give it another name.',
    ],
    [
      'a name with a slash',
      { 'a/b': conv },
      'graph: "a/b" has the name "a/b"; a name must not be empty, "." or "..", or contain a slash, quote or control ' +
        'character. Rename it.',
    ],
    [
      'an empty name',
      { a: { '': conv } },
      'graph: "a/" has the name ""; a name must not be empty, "." or "..", or contain a slash, quote or control ' +
        'character. Rename it.',
    ],
    [
      'a name that JavaScript would move to the front',
      { fc: { 7: conv } },
      'graph: "fc/7" has the name "7", and JavaScript moves such keys to the front of a dictionary. ' +
        'Begin the name with a letter, as in "block7".',
    ],
    [
      'a layer function that was not called',
      { act: function relu() {} as unknown as Layer },
      'graph: "act" is a function. Expected a layer, [layer, inputs], [null, []] or a dictionary of these. ' +
        'Call it: relu(…).',
    ],
    [
      'undefined',
      { prep: { act: undefined as unknown as Layer } },
      'graph: "prep/act" is undefined. Expected a layer, [layer, inputs], [null, []] or a dictionary of these.',
    ],
    [
      'an array that is not a pair',
      { sum: [add, 'a', 'b'] as unknown as Layer },
      'graph: "sum" is an array, but not [layer, inputs]. Expected a layer, [layer, inputs], [null, []] or a ' +
        'dictionary of these. Inputs are paths and negative whole numbers.',
    ],
    [
      'inputs of a node without a layer',
      { conv, target: [null, ['conv']] },
      'graph: "target" has no layer and reads ["conv"]. A node without a layer is fed by the caller: write [null, []].',
    ],
  ];
  test.each(faults)('%s', (_, net, message) => {
    expect(() => build(net)).toThrow(new GraphError(message));
  });

  test.each([
    [{ sum: [add, 1.5] }],
    [{ sum: [add, [null]] }],
    [{ sum: [{}, ['a']] }],
    [{ sum: [add] }],
    [{ sum: [] }],
  ] as unknown as [Net<Layer>][])('a pair with wrong parts: %j', (net) => {
    expect(() => build(net)).toThrow('is an array, but not [layer, inputs]');
  });
});

/** How a generated leaf writes one input: any earlier node, as a path or as an offset. */
interface Pick {
  readonly node: number;
  readonly isOffset: boolean;
}
type Sketch = readonly Pick[] | { readonly [name: string]: Sketch };

const picks = fc.array(fc.record({ node: fc.nat(), isOffset: fc.boolean() }), { maxLength: 3 });
const name = fc.stringMatching(/^[a-z_][a-z0-9_. -]{0,3}$/);
const sketches = fc.letrec<{ node: Sketch; dictionary: { readonly [name: string]: Sketch } }>(
  (tie) => ({
    node: fc.oneof({ depthSize: 'small' }, picks, tie('dictionary')),
    dictionary: fc.dictionary(name, tie('node'), { maxKeys: 4 }),
  }),
);

/** The network of a sketch and the expected inputs of its nodes, computed with Node's own path functions. */
function write(sketch: { readonly [name: string]: Sketch }): {
  readonly net: Net<Layer>;
  readonly expected: Record<string, readonly string[]>;
} {
  const before = ['input'];
  const expected: Record<string, readonly string[]> = { input: [] };
  const walk = (part: { readonly [name: string]: Sketch }, parent: string): Net<Layer> => {
    const net: Record<string, Leaf<Layer> | Net<Layer>> = {};
    for (const [key, value] of Object.entries(part)) {
      const path = posix.join(parent, key);
      if (!Array.isArray(value)) {
        net[key] = walk(value as { readonly [name: string]: Sketch }, path);
        continue;
      }
      const targets = (value as readonly Pick[]).map((pick) => pick.node % before.length);
      expected[path] = targets.map((index) => before[index]);
      const refs = (value as readonly Pick[]).map((pick, at): InputRef => {
        if (pick.isOffset) return targets[at] - before.length;
        return posix.relative(`/${parent}`, `/${before[targets[at]]}`);
      });
      net[key] = [add, refs];
      before.push(path);
    }
    return net;
  };
  return { net: walk(sketch, ''), expected };
}

/** The nested notation of a graph with every input written as a relative path. */
function spell(graph: Graph<Layer>): Net<Layer> {
  const net: Record<string, unknown> = {};
  for (const [path, { layer, inputs }] of graph) {
    const parts = path.split('/');
    let block = net;
    for (const part of parts.slice(0, -1)) {
      block[part] ??= {};
      block = block[part] as Record<string, unknown>;
    }
    const refs = inputs.map((input) => posix.relative(posix.dirname(`/${path}`), `/${input}`));
    block[parts[parts.length - 1]] = [layer, refs];
  }
  return net as Net<Layer>;
}

describe('properties', () => {
  const nets = sketches.dictionary
    .filter((sketch) => !('input' in sketch))
    .map((sketch) => write(sketch));

  test('every input resolves to the intended node', () => {
    fc.assert(
      fc.property(nets, ({ net, expected }) => {
        expect(inputsOf(build(net))).toEqual(expected);
      }),
    );
  });

  test('every input precedes its node', () => {
    fc.assert(
      fc.property(nets, ({ net }) => {
        const seen = new Set<string>();
        for (const [path, { inputs }] of build(net)) {
          for (const input of inputs) expect(seen).toContain(input);
          seen.add(path);
        }
      }),
    );
  });

  test('resolving is idempotent', () => {
    fc.assert(
      fc.property(nets, ({ net }) => {
        const graph = build(net);
        expect([...build(spell(graph))]).toEqual([...graph]);
      }),
    );
  });
});
