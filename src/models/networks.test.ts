import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GraphError } from '../base/errors';
import { createRng } from '../base/rng';
import { build } from '../graph/build';
import { counts } from '../graph/dot';
import { mapTypes, removeByType } from '../graph/edit';
import type { Graph, Net } from '../graph/spec';
import { celu, shiftScaleRelu, softplus } from '../nn/activation';
import { identity } from '../nn/combine';
import { crossEntropyLoss, labelSmoothingLoss } from '../nn/loss';
import { countTrainable, initNetwork, parametersOfGraph } from '../nn/network';
import type { AnyLayer } from '../nn/network';
import { bagOfTricks, newDawn } from './bag-of-tricks';
import { dawnNet, maxPoolBlock, pointwiseBlock, preActivationBlock, stridedBlock } from './dawn';
import { resnet9 } from './resnet9';
import { fullyConnected, unbranched } from './unbranched';
import { withLoss } from './with-loss';

const tricks = { order: ['conv', 'pool', 'norm', 'act'] } as const;
const double = { prep: 128, layer1: 256, layer2: 512, layer3: 1024 };

/** The table of the study: trainable parameters, then nodes, edges and clusters as drawn. */
const table: readonly (readonly [
  name: string,
  graph: Graph<AnyLayer>,
  trainable: number,
  drawn: readonly [nodes: number, edges: number, clusters: number],
])[] = [
  ['baseline', build(dawnNet()), 5_205_834, [68, 76, 22]],
  [
    'shortest path, pre-activation 1x1',
    build(dawnNet({ block: preActivationBlock })),
    115_786,
    [28, 28, 14],
  ],
  [
    'shortest path, no repeated bn-relu, 1x1',
    removeByType(build(dawnNet({ block: pointwiseBlock, prepBnRelu: true }))),
    114_762,
    [18, 18, 8],
  ],
  [
    'shortest path, 3x3 stride 2',
    removeByType(build(dawnNet({ block: stridedBlock, prepBnRelu: true }))),
    966_730,
    [18, 18, 8],
  ],
  [
    'shortest path, 3x3 + maxpool',
    removeByType(build(dawnNet({ block: maxPoolBlock, prepBnRelu: true }))),
    966_730,
    [21, 21, 8],
  ],
  [
    'the same, wider, global maxpool',
    removeByType(
      build(
        dawnNet({
          channels: [64, 128, 256, 512],
          block: maxPoolBlock,
          prepBnRelu: true,
          concatPool: false,
        }),
      ),
    ),
    1_557_066,
    [19, 18, 8],
  ],
  ['backbone', build(resnet9({ resLayers: [] })), 1_557_056, [20, 19, 4]],
  [
    'backbone, double width',
    build(resnet9({ resLayers: [], channels: double })),
    6_210_688,
    [20, 19, 4],
  ],
  [
    'extra layers',
    build(resnet9({ resLayers: [], extraLayers: ['layer1', 'layer2', 'layer3'] })),
    4_655_424,
    [29, 28, 7],
  ],
  ['ResNet-9', build(resnet9()), 6_573_120, [36, 37, 10]],
  ['post 8, baseline', build(bagOfTricks()), 6_573_120, [39, 40, 11]],
  ['post 8, CELU', build(bagOfTricks({ ...tricks, act: celu(0.075) })), 6_573_120, [39, 40, 11]],
  [
    'post 8, ghost batch norm',
    build(bagOfTricks({ ...tricks, act: celu(0.075), splits: 16 })),
    6_573_120,
    [39, 40, 11],
  ],
  [
    'post 8, frozen scales',
    build(bagOfTricks({ ...tricks, act: celu(0.3), splits: 16, isScaleFrozen: true })),
    6_570_880,
    [39, 40, 11],
  ],
  [
    'post 8, input whitening',
    build(
      bagOfTricks({
        ...tricks,
        act: celu(0.3),
        splits: 16,
        isScaleFrozen: true,
        isWhitened: true,
        weight: 1 / 16,
      }),
    ),
    6_570_880,
    [40, 41, 11],
  ],
  ['post 7, simple', build(unbranched()), 4_651_712, [30, 29, 8]],
  ['post 7, post', build(unbranched({ norm: 'after' })), 4_651_712, [30, 29, 8]],
  [
    'post 7 with its loss',
    withLoss(build(unbranched()), build<AnyLayer>(crossEntropyLoss())),
    4_651_712,
    [33, 33, 8],
  ],
  [
    'post 7 with smoothed loss',
    withLoss(build(unbranched()), build<AnyLayer>(labelSmoothingLoss(0.2))),
    4_651_712,
    [36, 37, 8],
  ],
  ['label smoothing', build<AnyLayer>(labelSmoothingLoss(0.2)), 0, [7, 8, 0]],
];

describe('the networks of the study', () => {
  test.each(table)('%s: trainable parameters, nodes, edges and clusters', (...row) => {
    const [, graph, trainable, [nodes, edges, clusters]] = row;
    expect(countTrainable(graph)).toBe(trainable);
    expect(counts(graph)).toEqual({ nodes, edges, clusters });
  });

  test('whitening adds 729 frozen parameters', () => {
    const frozen = (isWhitened: boolean): number =>
      parametersOfGraph(build(bagOfTricks({ isWhitened })))
        .filter(({ path, parameter }) => /conv|whiten/.test(path) && parameter.role === 'frozen')
        .reduce((sum, { parameter }) => sum + parameter.shape.reduce((a, b) => a * b), 0);
    expect([frozen(false), frozen(true)]).toEqual([0, 729]);
  });

  test('post 8 orders the layers of a stage, and of a block without pooling', () => {
    const graph = [...build(bagOfTricks({ order: ['conv', 'norm', 'pool', 'act'] })).keys()];
    expect(graph.slice(1, 8)).toEqual([
      'prep/conv',
      'prep/norm',
      'prep/act',
      'layer1/conv',
      'layer1/norm',
      'layer1/pool',
      'layer1/act',
    ]);
    expect(() => bagOfTricks({ order: ['conv', 'norm', 'pool'] })).toThrow(/"act" is missing/);
  });

  test('the script new_dawn and post 8 with all options set have the same network', () => {
    const post8 = bagOfTricks({
      order: ['conv', 'pool', 'norm', 'act'],
      act: celu(0.3),
      splits: 16,
      isScaleFrozen: true,
      isWhitened: true,
      weight: 1 / 16,
    });
    const layers = (net: Net<AnyLayer>): (AnyLayer | null)[] =>
      [...removeByType(build(net)).values()].map(({ layer }) => layer);
    expect(layers(newDawn())).toEqual(layers(post8));
  });

  test('post 7: overrides remove batch norm and insert softplus', () => {
    const act = softplus({ beta: 10, threshold: 2.5 });
    const edited = mapTypes<AnyLayer, AnyLayer>(
      { 'batch-norm': identity, relu: () => act },
      unbranched(),
    );
    expect(build(edited)).toEqual(build(unbranched({ norm: 'none', act })));
    expect(countTrainable(build(edited))).toBe(4_651_712);
    expect(counts(removeByType(build(edited)))).toEqual({ nodes: 23, edges: 22, clusters: 8 });
  });

  test('post 7: "full" has the parameters of ResNet-9 except those of its norms', () => {
    const full = build(unbranched({ extraLayers: [], resLayers: ['layer1', 'layer3'] }));
    expect(countTrainable(full)).toBe(6_573_120 - 2 * 2240);
    expect(full.get('layer3/residual/add')?.inputs).toEqual([
      'layer3/residual/in',
      'layer3/residual/out',
    ]);
  });

  test('post 7: fifty fully connected layers', () => {
    const graph = build(fullyConnected({ act: shiftScaleRelu() }));
    expect(countTrainable(graph)).toBe(50 * 2048 ** 2);
    expect(counts(graph)).toEqual({ nodes: 101, edges: 100, clusters: 50 });
    expect(graph.get('layer50/act')).toEqual({ layer: shiftScaleRelu(), inputs: ['layer50/fc'] });
  });

  test('initial weights: scales from U(0, 1) in posts 1 to 4, He in post 7', () => {
    const dawn = initNetwork(build(dawnNet()), createRng(1, 'init'));
    const scales = [...dawn['layer4/block1/bn1/weight'].data];
    expect(Math.min(...scales)).toBeGreaterThan(0);
    expect(Math.max(...scales)).toBeLessThan(1);
    expect(scales.reduce((a, b) => a + b) / scales.length).toBeCloseTo(0.5, 1);
    const variance = (path: string): number => {
      const data = [...initNetwork(build(unbranched()), createRng(1, 'init'))[path].data];
      return data.reduce((sum, x) => sum + x * x, 0) / data.length;
    };
    expect(variance('layer2/conv/weight') * (9 * 128)).toBeCloseTo(2, 1);
    expect(variance('classifier/conv/weight') * 512).toBeCloseTo(2, 1);
  });

  test('withLoss refuses two nodes of the same name', () => {
    const loss = build<AnyLayer>(crossEntropyLoss());
    const once = withLoss(build(unbranched()), loss);
    expect(() => withLoss(once, loss)).toThrow(GraphError);
  });
});

interface StoredNode {
  readonly path: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly repr: string;
  readonly params?: {
    readonly weight?: number;
    readonly splits?: number;
    readonly trainable?: Readonly<Record<string, boolean>>;
  };
}

function readFixture(name: string): unknown {
  const folder = join(__dirname, '../../test/fixtures/reference');
  return JSON.parse(readFileSync(join(folder, name), 'utf8'));
}

/** The reference's class name of a layer. */
function typeOf(layer: AnyLayer | null): string {
  switch (layer?.kind) {
    case undefined:
      return 'Input';
    case 'conv':
      return 'Conv2d';
    case 'linear':
      return 'Linear';
    case 'batch-norm':
      return 'BatchNorm';
    case 'ghost-batch-norm':
      return 'GhostBatchNorm';
    case 'relu':
      return 'ReLU';
    case 'celu':
      return 'CELU';
    case 'max-pool':
      return 'MaxPool2d';
    case 'avg-pool':
      return 'AvgPool2d';
    case 'add':
      return 'Add';
    case 'add-weighted':
      return 'AddWeighted';
    case 'mul':
      return 'Mul';
    case 'concat':
      return 'Concat';
    case 'flatten':
      return 'Flatten';
    case 'identity':
      return 'Identity';
    case 'log-softmax':
      return 'LogSoftmax';
    case 'cross-entropy':
    case 'nll':
      return 'CrossEntropyLoss';
    case 'kl-uniform':
      return 'KLLoss';
    case 'correct':
      return 'Correct';
    default:
      throw new Error(`the reference has no ${layer?.kind}`);
  }
}

/** A layer as the reference prints it. */
function reprOf(layer: AnyLayer | null): string {
  const type = typeOf(layer);
  switch (layer?.kind) {
    case undefined:
      return 'None';
    case 'conv': {
      const { cin, cout, size, stride, padding } = layer;
      const pad = padding === 0 ? '' : `, padding=(${padding}, ${padding})`;
      return `${type}(${cin}, ${cout}, kernel_size=(${size}, ${size}), stride=(${stride}, ${stride})${pad}, bias=False)`;
    }
    case 'linear': {
      const { cin, cout, hasBias } = layer;
      return `${type}(in_features=${cin}, out_features=${cout}, bias=${hasBias ? 'True' : 'False'})`;
    }
    case 'batch-norm':
    case 'ghost-batch-norm': {
      const { channels, epsilon, momentum } = layer;
      return `${type}(${channels}, eps=${epsilon === 1e-5 ? '1e-05' : epsilon}, momentum=${momentum}, affine=True, bias=True, track_running_stats=True)`;
    }
    case 'relu':
      return `${type}(inplace=True)`;
    case 'celu':
      return `${type}(alpha=${layer.alpha})`;
    case 'max-pool':
      return `${type}(kernel_size=${layer.size}, stride=${layer.stride}, padding=0, dilation=1, ceil_mode=False)`;
    case 'avg-pool':
      return `${type}(kernel_size=${layer.size}, stride=${layer.stride}, padding=0)`;
    case 'add-weighted':
      return `${type}(wx=${layer.wx}, wy=${layer.wy})`;
    case 'log-softmax':
      return `${type}(dim=1)`;
    default:
      return `${type}()`;
  }
}

/** A graph in the format of the fixtures. */
function inTheirWords(graph: Graph<AnyLayer>): StoredNode[] {
  const parameters = parametersOfGraph(graph);
  return [...graph].map(([path, { layer, inputs }]) => {
    const trainable = parameters
      .filter((entry) => entry.path === `${path}/${entry.parameter.name}`)
      .filter(({ parameter }) => parameter.role !== 'running')
      .map(({ parameter }) => [parameter.name, parameter.role === 'trainable'] as const);
    const params = {
      ...(layer?.kind === 'mul' ? { weight: layer.weight } : {}),
      ...(layer?.kind === 'ghost-batch-norm' ? { splits: layer.splits } : {}),
      ...(trainable.length > 0 ? { trainable: Object.fromEntries(trainable) } : {}),
    };
    const node = { path, type: typeOf(layer), inputs, repr: reprOf(layer) };
    return Object.keys(params).length > 0 ? { ...node, params } : node;
  });
}

describe('networks are those of the reference', () => {
  const [backbone, tricks4] = [
    dawnNet({
      channels: [6, 8, 12, 16],
      block: maxPoolBlock,
      prepBnRelu: true,
      concatPool: false,
    }),
    newDawn({ channels: { prep: 8, layer1: 12, layer2: 16, layer3: 24 }, splits: 4 }),
  ];
  test.each([
    [
      'demo_resnet9.json',
      // The fixture was made with this weight.
      resnet9({
        channels: { prep: 8, layer1: 16, layer2: 16, layer3: 32 },
        weight: 0.125000001,
      }),
      crossEntropyLoss(),
    ],
    ['baseline_dawn_net.json', dawnNet({ channels: [4, 8, 16, 16] }), crossEntropyLoss()],
    ['backbone_maxpool.json', backbone, crossEntropyLoss()],
    ['bag_of_tricks.json', tricks4, labelSmoothingLoss(0.2)],
  ])('%s: every node, its inputs, layer parameters and trainable flags', (name, net, loss) => {
    const stored = readFixture(name) as Record<'graph' | 'loss_graph', readonly StoredNode[]>;
    expect(inTheirWords(build(net))).toEqual(stored.graph);
    const lossNodes = inTheirWords(build<AnyLayer>(loss));
    expect(lossNodes.filter(({ type }) => type !== 'Input')).toEqual(stored.loss_graph);
  });

  test.each([
    ['demo', resnet9()],
    ['demo_extra', resnet9({ resLayers: [], extraLayers: ['layer1', 'layer2', 'layer3'] })],
    ['baseline', dawnNet()],
  ])('core.json, %s: with and without identities', (name, net) => {
    const { graphs } = readFixture('core.json') as {
      readonly graphs: Readonly<Record<string, Record<'nodes' | 'identity_removed', unknown>>>;
    };
    const triples = (graph: Graph<AnyLayer>): unknown[] =>
      [...graph].map(([path, { layer, inputs }]) => [path, typeOf(layer), inputs]);
    expect(triples(build(net))).toEqual(graphs[name].nodes);
    expect(triples(removeByType(build(net)))).toEqual(graphs[name].identity_removed);
  });
});
