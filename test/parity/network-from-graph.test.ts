import { describe, expect, test } from 'vitest';
import type { NodeEntry } from './fixture';
import { networkFromGraph } from './network-from-graph';

const input: NodeEntry = { path: 'input', type: 'Input', inputs: [], repr: 'None' };
const loss: readonly NodeEntry[] = [
  { path: 'loss', type: 'CrossEntropyLoss', inputs: ['logits', 'target'], repr: '' },
];

/** Our layer for one node of the reference. */
function layerOf(type: string, repr: string, params?: NodeEntry['params']): unknown {
  const node = { path: 'a/b', type, inputs: ['input'], repr, ...(params && { params }) };
  return networkFromGraph([input, node], loss).graph.get('a/b')?.layer;
}

describe('networkFromGraph', () => {
  test.each([
    [
      'Conv2d(3, 27, kernel_size=(5, 5), stride=(2, 2), padding=(1, 1), bias=False)',
      { trainable: { weight: false } },
      {
        kind: 'conv',
        cin: 3,
        cout: 27,
        size: 5,
        stride: 2,
        padding: 1,
        hasBias: false,
        isFrozen: true,
        gain: 1,
      },
    ],
    [
      'Conv2d(3, 8, kernel_size=(1, 1), stride=(1, 1))',
      undefined,
      {
        kind: 'conv',
        cin: 3,
        cout: 8,
        size: 1,
        stride: 1,
        padding: 0,
        hasBias: true,
        isFrozen: false,
        gain: 1,
      },
    ],
    [
      'Linear(in_features=32, out_features=10, bias=True)',
      { trainable: { weight: true, bias: true } },
      { kind: 'linear', cin: 32, cout: 10, hasBias: true, gain: 1 },
    ],
    [
      'BatchNorm(8, eps=0.001, momentum=0.3, affine=True, bias=True, track_running_stats=True)',
      { trainable: { weight: false, bias: true } },
      {
        kind: 'batch-norm',
        channels: 8,
        splits: 1,
        epsilon: 0.001,
        momentum: 0.3,
        scaleInit: 1,
        isScaleFrozen: true,
        isBiasFrozen: false,
      },
    ],
    [
      'GhostBatchNorm(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)',
      { splits: 4, trainable: { weight: true, bias: false } },
      {
        kind: 'ghost-batch-norm',
        channels: 8,
        splits: 4,
        epsilon: 1e-5,
        momentum: 0.1,
        scaleInit: 1,
        isScaleFrozen: false,
        isBiasFrozen: true,
      },
    ],
    [
      'MaxPool2d(kernel_size=3, stride=2, padding=0, dilation=1, ceil_mode=False)',
      undefined,
      { kind: 'max-pool', size: 3, stride: 2 },
    ],
    [
      'AvgPool2d(kernel_size=4, stride=4, padding=0)',
      undefined,
      { kind: 'avg-pool', size: 4, stride: 4 },
    ],
    ['ReLU(inplace=True)', undefined, { kind: 'relu' }],
    ['CELU(alpha=0.3)', undefined, { kind: 'celu', alpha: 0.3 }],
    [
      'Softplus(beta=10.0, threshold=2.5)',
      undefined,
      { kind: 'softplus', beta: 10, threshold: 2.5 },
    ],
    ["GELU(approximate='none')", undefined, { kind: 'gelu' }],
    ['SiLU(inplace=True)', undefined, { kind: 'silu' }],
    ['ShiftScaleReLU()', undefined, { kind: 'shift-scale-relu' }],
    ['Identity()', undefined, { kind: 'identity' }],
    ['Add()', undefined, { kind: 'add' }],
    ['AddWeighted(wx=0.8, wy=0.2)', undefined, { kind: 'add-weighted', wx: 0.8, wy: 0.2 }],
    ['Mul()', { weight: 0.125 }, { kind: 'mul', weight: 0.125 }],
    ['Concat()', undefined, { kind: 'concat' }],
    ['Flatten()', undefined, { kind: 'flatten' }],
  ] as const)('%s', (repr, params, layer) => {
    expect(layerOf(repr.slice(0, repr.indexOf('(')), repr, params)).toEqual(layer);
  });

  test.each([
    ['Swish', 'Swish()', /"a\/b" is Swish\(\) \(Swish\): a type that the suite does not know/],
    [
      'Conv2d',
      'Conv2d(3, 8, kernel_size=(3, 5), stride=(1, 1), bias=False)',
      /"kernel_size" is not square/,
    ],
    [
      'Conv2d',
      'Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), groups=4, bias=False)',
      /"groups" is 4/,
    ],
    ['Conv2d', 'Conv2d(3, 8, stride=(1, 1), bias=False)', /"kernel_size" is missing/],
    [
      'Conv2d',
      'Conv2d(3, 8, kernel_size=(3, 3), padding_mode=circular)',
      /does not know "padding_mode"/,
    ],
    ['MaxPool2d', 'MaxPool2d(kernel_size=2, stride=2, ceil_mode=True)', /"ceil_mode" is True/],
    ['BatchNorm', 'BatchNorm(8, eps=1e-05, momentum=None, affine=True)', /"momentum" is None/],
    ['GhostBatchNorm', 'GhostBatchNorm(8, eps=1e-05, momentum=0.1)', /no number "splits"/],
    ['Mul', 'Mul()', /no number "weight"/],
    ['LogSoftmax', 'LogSoftmax(dim=2)', /"dim" is 2/],
  ])('refuses %s %s', (type, repr, message) => {
    expect(() => layerOf(type, repr)).toThrow(message);
  });

  test('writes paths relative to the parent, and builds the same graph again', () => {
    const repr = 'Identity()';
    const nodes: NodeEntry[] = [
      input,
      { path: 'a/in', type: 'Identity', inputs: ['input'], repr },
      { path: 'a/b/c', type: 'Identity', inputs: ['input'], repr },
      { path: 'a/b/d', type: 'Identity', inputs: ['a/in'], repr },
      { path: 'a/add', type: 'Add', inputs: ['a/b/c', 'a/b/d'], repr: 'Add()' },
      { path: 'out', type: 'Add', inputs: ['a/add', 'input'], repr: 'Add()' },
    ];
    const { graph } = networkFromGraph(nodes, loss);
    expect([...graph].map(([path, { inputs }]) => ({ path, inputs }))).toEqual(
      nodes.map(({ path, inputs }) => ({ path, inputs })),
    );
  });

  test('accepts the cross entropy of log probabilities, and of the last node under any name', () => {
    const nodes: NodeEntry[] = [
      input,
      { path: 'head', type: 'Flatten', inputs: ['input'], repr: 'Flatten()' },
    ];
    const { loss: direct } = networkFromGraph(nodes, [
      { path: 'loss', type: 'CrossEntropyLoss', inputs: ['head', 'target'], repr: '' },
    ]);
    expect(direct.get('loss')).toEqual({
      layer: { kind: 'cross-entropy' },
      inputs: ['logits', 'target'],
    });
    const { loss: smoothed } = networkFromGraph(nodes, [
      { path: 'logprobs', type: 'LogSoftmax', inputs: ['head'], repr: 'LogSoftmax(dim=1)' },
      { path: 'loss', type: 'CrossEntropyLoss', inputs: ['logprobs', 'target'], repr: '' },
    ]);
    expect(smoothed.get('loss')).toEqual({
      layer: { kind: 'nll' },
      inputs: ['logprobs', 'target'],
    });
  });
});
