import { build } from '../../src/graph/build';
import type { Layer, Leaf, Net } from '../../src/graph/spec';
import { celu, gelu, relu, shiftScaleRelu, silu, softplus } from '../../src/nn/activation';
import { batchNorm, ghostBatchNorm } from '../../src/nn/batch-norm';
import { add, addWeighted, concat, flatten, identity, mul } from '../../src/nn/combine';
import { conv, linear } from '../../src/nn/conv';
import { correct, crossEntropy, klUniform, logSoftmax, nll } from '../../src/nn/loss';
import type { AnyLayer } from '../../src/nn/network';
import { avgPool, maxPool } from '../../src/nn/pool';
import type { Model } from '../../src/train/steps';
import type { NodeEntry } from './fixture';

/**
 * Our network and loss for a fixture's lists of nodes. Each type of the reference maps to our layer, with the numbers of its
 * `repr` and `params`. The lists are converted to our notation, from which `build` makes graphs.
 *
 * @throws Error that names the node if its type is unknown, or if our layer does not have its parameters
 */
export function networkFromGraph(
  graph: readonly NodeEntry[],
  lossGraph: readonly NodeEntry[],
): Model {
  const fed = graph.filter(({ type }) => type === 'Input').map(({ path }) => path);
  if (fed.join() !== 'input') {
    throw new Error(`parity: the network is fed at "${fed.join('", "')}"; expected one "input".`);
  }
  const output = graph.at(-1)?.path;
  // A loss reads the network's last node, under any name, and the classes.
  const inLoss = (input: string): string => (input === output ? 'logits' : input);
  const loss: readonly NodeEntry[] = [
    { path: 'logits', type: 'Input', inputs: [], repr: 'None' },
    { path: 'target', type: 'Input', inputs: [], repr: 'None' },
    ...lossGraph.map((node) => ({ ...node, inputs: node.inputs.map(inLoss) })),
  ];
  return { graph: build(notation(graph, layerOf)), loss: build(notation(loss, layerOf)) };
}

/** Converts a list of nodes with full paths to our notation: nested dictionaries and relative inputs. */
export function notation<L extends Layer>(
  nodes: readonly NodeEntry[],
  layerOf: (node: NodeEntry, typeOf: (path: string) => string | undefined) => L | null,
): Net<L> {
  const types = new Map(nodes.map(({ path, type }) => [path, type]));
  const net: Record<string, unknown> = {};
  for (const [index, node] of nodes.entries()) {
    const names = node.path.split('/');
    const parents = names.slice(0, -1);
    let place = net;
    for (const name of parents) place = (place[name] ??= {}) as Record<string, unknown>;
    const layer = layerOf(node, (path) => types.get(path));
    const isNext = node.inputs.length === 1 && node.inputs[0] === nodes[index - 1]?.path;
    const leaf: Leaf<L> =
      layer !== null && isNext
        ? layer
        : [layer, node.inputs.map((input) => relative(parents, input.split('/')))];
    place[names[names.length - 1]] = leaf;
  }
  return net as Net<L>;
}

function relative(parents: readonly string[], input: readonly string[]): string {
  let shared = 0;
  while (shared < parents.length && parents[shared] === input[shared]) shared++;
  return [...parents.slice(shared).map(() => '..'), ...input.slice(shared)].join('/');
}

/** Our layer for a node of the reference; `null` for a node that the caller feeds. */
function layerOf(node: NodeEntry, typeOf: (path: string) => string | undefined): AnyLayer | null {
  const args = readRepr(node);
  const layer = ((): AnyLayer | null => {
    switch (node.type) {
      case 'Input':
        return null;
      case 'Conv2d': {
        const { weight = true, bias = weight } = trainable(node);
        if (weight !== bias) throw fault(node, 'only one of kernel and bias is trainable');
        args.only('dilation', 1);
        args.only('groups', 1);
        const [cin, cout] = [args.number(0), args.number(1)];
        return conv(cin, cout, {
          size: args.square('kernel_size'),
          stride: args.square('stride', 1),
          padding: args.square('padding', 0),
          hasBias: args.boolean('bias', true),
          isFrozen: !weight,
        });
      }
      case 'Linear': {
        const { weight = true, bias = true } = trainable(node);
        if (!weight || !bias) throw fault(node, 'a linear layer is always trainable');
        return linear(args.number('in_features'), args.number('out_features'), {
          hasBias: args.boolean('bias', true),
        });
      }
      case 'BatchNorm':
      case 'BatchNorm2d':
      case 'GhostBatchNorm': {
        const { weight = true, bias = true } = trainable(node);
        args.only('affine', true);
        args.only('bias', true);
        args.only('track_running_stats', true);
        const channels = args.number(0);
        const options = {
          epsilon: args.number('eps'),
          momentum: args.number('momentum'),
          isScaleFrozen: !weight,
          isBiasFrozen: !bias,
        };
        return node.type === 'GhostBatchNorm'
          ? ghostBatchNorm(channels, parameter(node, 'splits'), options)
          : batchNorm(channels, options);
      }
      case 'MaxPool2d':
      case 'AvgPool2d': {
        args.only('padding', 0);
        args.only('dilation', 1);
        args.only('ceil_mode', false);
        const size = args.square('kernel_size');
        const pool = node.type === 'MaxPool2d' ? maxPool : avgPool;
        return pool(size, args.square('stride', size));
      }
      case 'ReLU':
        args.skip('inplace');
        return relu();
      case 'CELU':
        args.skip('inplace');
        return celu(args.number('alpha'));
      case 'Softplus':
        return softplus({
          beta: args.number('beta', 1),
          threshold: args.number('threshold', 20),
        });
      case 'GELU':
        args.only('approximate', "'none'");
        return gelu();
      case 'SiLU':
        args.skip('inplace');
        return silu();
      case 'ShiftScaleReLU':
        return shiftScaleRelu();
      case 'Identity':
        return identity();
      case 'Add':
        return add();
      case 'AddWeighted':
        return addWeighted(args.number('wx'), args.number('wy'));
      case 'Mul':
        return mul(parameter(node, 'weight'));
      case 'Concat':
        return concat();
      case 'Flatten':
        args.only('start_dim', 1);
        args.only('end_dim', -1);
        return flatten();
      case 'LogSoftmax':
        args.only('dim', 1);
        return logSoftmax();
      case 'CrossEntropyLoss':
        // The reference has one class for both; from log probabilities it takes only the target's.
        return typeOf(node.inputs[0]) === 'LogSoftmax' ? nll() : crossEntropy();
      case 'KLLoss':
        return klUniform();
      case 'Correct':
        return correct();
      default:
        throw fault(node, 'a type that the suite does not know; add it to network-from-graph.ts');
    }
  })();
  args.finish();
  return layer;
}

function fault(node: NodeEntry, what: string): Error {
  return new Error(`parity: "${node.path}" is ${node.repr} (${node.type}): ${what}.`);
}

function parameter(node: NodeEntry, name: 'weight' | 'splits'): number {
  const value = node.params?.[name];
  if (typeof value !== 'number') throw fault(node, `its params have no number "${name}"`);
  return value;
}

/** Which of the layer's tensors are trained, for those that the fixture lists. */
function trainable(node: NodeEntry): { readonly weight?: boolean; readonly bias?: boolean } {
  const listed = node.params?.trainable ?? {};
  const stranger = Object.keys(listed).find((name) => name !== 'weight' && name !== 'bias');
  if (stranger !== undefined) throw fault(node, `it has a parameter "${stranger}"`);
  return listed;
}

/** Reads `Type(3, 8, kernel_size=(3, 3), bias=False)` by argument; an argument that is never read is a fault. */
function readRepr(node: NodeEntry): {
  number(key: number | string, missing?: number): number;
  square(key: string, missing?: number): number;
  boolean(key: string, missing: boolean): boolean;
  /** Accepts this value only, or none. */
  only(key: string, value: number | string | boolean): void;
  skip(key: string): void;
  finish(): void;
} {
  const inside = /^\w+\((.*)\)$/.exec(node.repr)?.[1] ?? '';
  const given = new Map<number | string, string>();
  for (const [place, part] of (inside.match(/(?:\([^)]*\)|[^,])+/g) ?? []).entries()) {
    const [, key, value] = /^\s*(\w+)=(.*)$/.exec(part) ?? [undefined, place, part];
    given.set(key, value.trim());
  }
  const take = (key: number | string): string | undefined => {
    const value = given.get(key);
    given.delete(key);
    return value;
  };
  const number = (key: number | string, text: string | undefined, missing?: number): number => {
    const value = text === undefined ? missing : Number(text);
    if (value === undefined || Number.isNaN(value)) {
      throw fault(node, `"${key}" is ${text ?? 'missing'}, expected a number`);
    }
    return value;
  };
  return {
    number: (key, missing) => number(key, take(key), missing),
    square(key, missing) {
      const text = take(key);
      const [first, ...rest] = (text ?? '').replaceAll(/[()\s]/g, '').split(',');
      if (rest.some((other) => other !== first)) throw fault(node, `"${key}" is not square`);
      return number(key, text === undefined ? undefined : first, missing);
    },
    boolean: (key, missing) => (take(key) ?? (missing ? 'True' : 'False')) === 'True',
    only(key, value) {
      const text = take(key);
      const wanted = typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value);
      const found = text?.replaceAll(/[()\s]/g, '').split(',') ?? [];
      if (found.some((part) => part !== wanted)) {
        throw fault(node, `"${key}" is ${text}, and our layer has only ${wanted}`);
      }
    },
    skip: (key) => void take(key),
    finish() {
      if (given.size > 0)
        throw fault(node, `the suite does not know "${[...given.keys()].join()}"`);
    },
  };
}
