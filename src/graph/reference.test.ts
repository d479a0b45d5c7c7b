import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Graphviz } from '@hpcc-js/wasm-graphviz';
import { describe, expect, test } from 'vitest';
import { build } from './build';
import { counts, dot } from './dot';
import type { Counts } from './dot';
import { removeByType, union } from './edit';
import type { Graph, Layer, Net } from './spec';
import { draw } from './draw';

/** Our notation against the graphs and the drawing that the reference implementation made (test/fixtures/reference). */
type Nodes = readonly (readonly [path: string, type: string, inputs: readonly string[]])[];
interface Fixture {
  readonly graphs: Readonly<
    Record<
      string,
      { readonly nodes: Nodes; readonly identity_removed: Nodes; readonly dot?: string }
    >
  >;
}
const fixture = JSON.parse(
  readFileSync(join(__dirname, '../../test/fixtures/reference/core.json'), 'utf8'),
) as Fixture;

const conv = (cin: number, cout: number, size = 3, stride = 1): Layer => {
  return { kind: 'conv', cin, cout, size, stride, padding: (size - 1) / 2, bias: false } as Layer;
};
const bn = (channels: number): Layer => ({ kind: 'batch-norm', channels }) as Layer;
const maxPool = (size: number): Layer => ({ kind: 'max-pool', size }) as Layer;
const linear = (cin: number, bias: boolean): Layer => {
  return { kind: 'linear', cin, cout: 10, bias } as Layer;
};
const [relu, add, identity, avgPool, concat, flatten, mul]: readonly Layer[] = [
  { kind: 'relu' },
  { kind: 'add' },
  { kind: 'identity' },
  { kind: 'avg-pool' },
  { kind: 'concat' },
  { kind: 'flatten' },
  { kind: 'mul' },
];
const types = new Map([
  [undefined, 'Input'],
  ['conv', 'Conv2d'],
  ['batch-norm', 'BatchNorm'],
  ['relu', 'ReLU'],
  ['max-pool', 'MaxPool2d'],
  ['avg-pool', 'AvgPool2d'],
  ['identity', 'Identity'],
  ['add', 'Add'],
  ['concat', 'Concat'],
  ['flatten', 'Flatten'],
  ['linear', 'Linear'],
  ['mul', 'Mul'],
]);

const convBn = (cin: number, cout: number): Net<Layer> => ({
  conv: conv(cin, cout),
  bn: bn(cout),
  relu,
});
const stage = (cin: number, cout: number, more: Net<Layer> = {}): Net<Layer> => {
  return union(convBn(cin, cout), { pool: maxPool(2) }, more);
};
const residual = (c: number): Net<Layer> => {
  return { in: identity, res1: convBn(c, c), res2: convBn(c, c), add: [add, ['in', 'res2/relu']] };
};
const resnet9 = (layer1: Net<Layer>, layer2: Net<Layer>, layer3: Net<Layer>): Net<Layer> => ({
  prep: convBn(3, 64),
  layer1: stage(64, 128, layer1),
  layer2: stage(128, 256, layer2),
  layer3: stage(256, 512, layer3),
  pool: maxPool(4),
  flatten,
  linear: linear(512, false),
  logits: mul,
});

const resBlock = (cin: number, cout: number, stride: number): Net<Layer> => {
  const projects = stride !== 1 || cin !== cout;
  return {
    bn1: bn(cin),
    relu1: relu,
    branch: {
      conv1: conv(cin, cout, 3, stride),
      bn2: bn(cout),
      relu2: relu,
      conv2: conv(cout, cout),
    },
    ...(projects ? { conv3: [conv(cin, cout, 1, stride), ['relu1']] } : {}),
    add: [add, [projects ? 'conv3' : 'relu1', 'branch/conv2']],
  };
};
const twoBlocks = (cin: number, cout: number, stride: number): Net<Layer> => {
  return { block0: resBlock(cin, cout, stride), block1: resBlock(cout, cout, 1) };
};
const dawnNet: Net<Layer> = {
  prep: { conv: conv(3, 64) },
  layer1: twoBlocks(64, 64, 1),
  layer2: twoBlocks(64, 128, 2),
  layer3: twoBlocks(128, 256, 2),
  layer4: twoBlocks(256, 256, 2),
  final: {
    in: identity,
    maxpool: maxPool(4),
    avgpool: [avgPool, ['in']],
    concat: [concat, ['maxpool', 'avgpool']],
    flatten,
    linear: linear(512, true),
  },
  logits: identity,
};

const nets: readonly (readonly [name: string, net: Net<Layer>, counts: Counts])[] = [
  [
    'demo',
    resnet9({ residual: residual(128) }, {}, { residual: residual(512) }),
    { nodes: 36, edges: 37, clusters: 10 },
  ],
  [
    'demo_extra',
    resnet9({ extra: convBn(128, 128) }, { extra: convBn(256, 256) }, { extra: convBn(512, 512) }),
    { nodes: 29, edges: 28, clusters: 7 },
  ],
  ['baseline', dawnNet, { nodes: 68, edges: 76, clusters: 22 }],
];

function nodesOf(graph: Graph<Layer>): Nodes {
  return [...graph].map(([path, { layer, inputs }]) => [
    path,
    types.get(layer?.kind) ?? '?',
    inputs,
  ]);
}

describe.each(nets)('%s', (name, net, expected) => {
  const graph = build(net);

  test('nodes, types and inputs', () => {
    expect(nodesOf(graph)).toEqual(fixture.graphs[name].nodes);
  });

  test('with identities removed', () => {
    expect(nodesOf(removeByType(graph))).toEqual(fixture.graphs[name].identity_removed);
  });

  test('counts of the drawing', () => {
    expect(counts(graph)).toEqual(expected);
  });

  test('the drawing', async () => {
    const text = dot(graph, { name });
    const picture = await draw(graph, { name });
    await expect(text).toMatchFileSnapshot(`../../test/output/${name}.dot`);
    await expect(picture).toMatchFileSnapshot(`../../test/output/${name}.svg`);
  });
});

/** The structure of DOT text as Graphviz reads it: nodes with labels, arrows, clusters with their nodes. */
async function structure(text: string): Promise<{
  readonly nodes: Readonly<Record<string, string>>;
  readonly edges: ReadonlySet<string>;
  readonly clusters: Readonly<Record<string, ReadonlySet<string>>>;
}> {
  const graphviz = await Graphviz.load();
  const { objects, edges } = JSON.parse(graphviz.layout(text, 'dot_json', 'nop')) as {
    readonly objects: readonly {
      readonly name: string;
      readonly label: string;
      readonly nodes?: readonly number[];
    }[];
    readonly edges: readonly { readonly tail: number; readonly head: number }[];
  };
  const nameOf = (at: number): string => objects[at].name;
  const isCluster = ({ name }: { readonly name: string }): boolean => name.startsWith('cluster_');
  return {
    nodes: Object.fromEntries(
      objects
        .filter((object) => !isCluster(object))
        .map(({ name, label }) => [name, label === '\\N' ? name : label]),
    ),
    edges: new Set(edges.map(({ tail, head }) => `${nameOf(tail)} -> ${nameOf(head)}`)),
    clusters: Object.fromEntries(
      objects.filter(isCluster).map(({ name, label, nodes = [] }) => {
        return [`${name} (${label})`, new Set(nodes.map(nameOf))];
      }),
    ),
  };
}

test("the drawing has the structure of the reference's", async () => {
  const [[name, net]] = nets;
  const theirs = await structure(fixture.graphs[name].dot ?? '');
  expect(await structure(dot(build(net)))).toEqual(theirs);
  expect(Object.keys(theirs.nodes)).toHaveLength(36);
  expect(theirs.edges.size).toBe(37);
  expect(Object.keys(theirs.clusters)).toHaveLength(10);
});

test('the loss of post 8 has 7 nodes and 8 arrows, as in its drawing', () => {
  const layer = (kind: string): Layer => ({ kind });
  const loss: Net<Layer> = {
    logits: [null, []],
    target: [null, []],
    logprobs: [layer('log-softmax'), ['logits']],
    KL: [layer('kl'), ['logprobs']],
    xent: [layer('xent'), ['logprobs', 'target']],
    loss: [layer('add-weighted'), ['xent', 'KL']],
    acc: [layer('correct'), ['logits', 'target']],
  };
  expect(counts(build(loss))).toEqual({ nodes: 7, edges: 8, clusters: 0 });
});
