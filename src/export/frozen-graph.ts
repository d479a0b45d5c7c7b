import { ExportError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { nearestHint } from '../base/nearest';
import type { Rgb } from '../data/normalise';
import type { Graph } from '../graph/spec';
import { parametersOfGraph } from '../nn/network';
import type { AnyLayer, HostVariables } from '../nn/network';
import { checkFinite } from './finite';

/** Element types that an exported graph has. */
export type ElementType = 'float32' | 'int32' | 'uint8';

/** An attribute of a node, as TensorFlow's `AttrValue` has them. */
export type FrozenAttribute =
  | { readonly kind: 'type'; readonly value: ElementType }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** -1 for an extent that is known only when the graph runs. */
  | { readonly kind: 'shape'; readonly value: readonly number[] }
  | {
      readonly kind: 'tensor';
      /** Of any shape. */
      readonly value: HostTensor;
    };

/** A node of a TensorFlow graph: `inputs` are names of nodes, whose first output is read. */
export interface FrozenNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, FrozenAttribute>>;
}

/** A value that goes in or comes out. */
export interface FrozenValue {
  /** Of the node whose first output it is. */
  readonly name: string;
  readonly dtype: ElementType;
  /** -1 for the number of images. */
  readonly shape: readonly number[];
}

/** A trained network as one TensorFlow graph without variables; see {@link freeze}. */
export interface FrozenGraph {
  /** Each after those that it reads. */
  readonly nodes: readonly FrozenNode[];
  /** The same images in either type: feed one of them. `images` needs nothing of `bytes`. */
  readonly inputs: { readonly images: FrozenValue; readonly bytes: FrozenValue };
  readonly outputs: { readonly logits: FrozenValue; readonly probabilities: FrozenValue };
}

/** What is put around a network that is frozen. */
export interface FreezeOptions {
  /** Mean and standard deviation by channel that images are normalised by, on the scale 0..255. */
  readonly normalisation: { readonly mean: Rgb; readonly std: Rgb };
  /** The logits are the mean over the image and its mirror image; of the image alone where absent. */
  readonly tta?: boolean;
  /** `[H,W,C]` of an image; `[32,32,3]` where absent. */
  readonly imageShape?: readonly [height: number, width: number, channels: number];
}

/**
 * Writes a network in evaluation as a graph of TensorFlow's own operations, its weights as constants in it.
 *
 * Images `[N,H,W,C]` of 0..255, any N, go in as `images` (float32) or `bytes` (uint8); normalisation is inside. `logits`
 * and `probabilities`, `[N,classes]`, come out. All is float32, whatever precision it was trained in. Nodes are called
 * after the network's paths: `network/layer1/conv`, their constants `network/layer1/conv/weight`.
 *
 * @param variables all tensors that the network's layers own, by path; the arrays are not copied
 * @throws ExportError if a variable is missing, has another shape than its layer, or holds NaN or infinity, or a layer is
 *   of a loss
 */
export function freeze(
  graph: Graph<AnyLayer>,
  variables: HostVariables,
  { normalisation, tta = false, imageShape = [32, 32, 3] }: FreezeOptions,
): FrozenGraph {
  checkVariables(graph, variables);
  checkFinite(variables, 'export');
  const nodes: FrozenNode[] = [];
  const emit: Emit = (name, op, inputs, attributes = {}) => {
    nodes.push({ name, op, inputs, attributes });
    return name;
  };
  const shape = [-1, ...imageShape];
  const placeholder = { dtype: type('uint8'), shape: { kind: 'shape', value: shape } } as const;
  emit('bytes', 'Placeholder', [], placeholder);
  emit('images', 'Cast', ['bytes'], { SrcT: type('uint8'), DstT: float });
  const mean = constant(emit, 'normalise/mean', vector(normalisation.mean));
  const std = constant(emit, 'normalise/std', vector(normalisation.std));
  emit('normalise/sub', 'Sub', ['images', mean], { T: float });
  const input = emit('normalise', 'RealDiv', ['normalise/sub', std], { T: float });

  const weights = new Map<string, string>();
  for (const path of parametersOfGraph(graph).map((owned) => owned.path)) {
    weights.set(path, constant(emit, `network/${path}`, variables[path]));
  }
  const plain = emitNetwork(emit, 'network', graph, weights, input, imageShape);
  let logits = plain.name;
  if (tta) {
    const axis = constant(emit, 'mirror/axis', integers([2]));
    emit('mirror', 'ReverseV2', [input, axis], { Tidx: type('int32'), T: float });
    const mirrored = emitNetwork(emit, 'mirrored', graph, weights, 'mirror', imageShape);
    emit('sum', 'AddV2', [plain.name, mirrored.name], { T: float });
    const half = constant(emit, 'half', { shape: [], data: Float32Array.of(0.5) });
    logits = emit('mean', 'Mul', ['sum', half], { T: float });
  }
  emit('logits', 'Identity', [logits], { T: float });
  emit('probabilities', 'Softmax', ['logits'], { T: float });
  const scores = { dtype: 'float32', shape: [-1, ...plain.shape] } as const;
  return {
    nodes,
    inputs: {
      images: { name: 'images', dtype: 'float32', shape },
      bytes: { name: 'bytes', dtype: 'uint8', shape },
    },
    outputs: {
      logits: { name: 'logits', ...scores },
      probabilities: { name: 'probabilities', ...scores },
    },
  };
}

/** Adds a node and returns its name. */
type Emit = (
  name: string,
  op: string,
  inputs: readonly string[],
  attributes?: FrozenNode['attributes'],
) => string;

/** A node's first output; its shape without the number of images. */
interface Placed {
  readonly name: string;
  readonly shape: readonly number[];
}

function type(value: ElementType): FrozenAttribute {
  return { kind: 'type', value };
}

const float = type('float32');

function vector(values: readonly number[]): HostTensor {
  return { shape: [values.length], data: Float32Array.from(values) };
}

function integers(
  values: readonly number[],
  shape: readonly number[] = [values.length],
): HostTensor {
  return { shape, data: Int32Array.from(values) };
}

function constant(emit: Emit, name: string, value: HostTensor): string {
  const dtype = type(value.data instanceof Int32Array ? 'int32' : 'float32');
  return emit(name, 'Const', [], { dtype, value: { kind: 'tensor', value } });
}

function checkVariables(graph: Graph<AnyLayer>, variables: HostVariables): void {
  for (const { path, parameter } of parametersOfGraph(graph)) {
    const variable = variables[path];
    if (variable === undefined) {
      throw new ExportError(
        `export: there is no variable "${path}".${nearestHint(path, Object.keys(variables))} ` +
          'Give the weights of the network that is exported.',
      );
    }
    if (variable.shape.join() !== parameter.shape.join()) {
      throw new ExportError(
        `export: "${path}" has shape [${variable.shape.join()}]; its layer expects [${parameter.shape.join()}]. ` +
          'Give the weights of the network that is exported.',
      );
    }
  }
}

/** Adds every node of a network, called `<prefix>/<path>`; returns the last one. */
function emitNetwork(
  emit: Emit,
  prefix: string,
  graph: Graph<AnyLayer>,
  weights: ReadonlyMap<string, string>,
  input: string,
  imageShape: readonly number[],
): Placed {
  const placed = new Map<string, Placed>();
  let last: Placed = { name: input, shape: imageShape };
  for (const [path, { layer, inputs }] of graph) {
    if (layer === null) {
      placed.set(path, { name: input, shape: imageShape });
      continue;
    }
    const read = inputs.map((name) => placed.get(name) as Placed);
    const name = `${prefix}/${path}`;
    last = emitLayer(emit, name, layer, read, (own) => weights.get(`${path}/${own}`) as string);
    placed.set(path, last);
  }
  return last;
}

function emitLayer(
  emit: Emit,
  name: string,
  layer: AnyLayer,
  inputs: readonly Placed[],
  weight: (name: string) => string,
): Placed {
  const [x] = inputs;
  const { shape } = x;
  const T = { T: float };
  const scalar = (key: string, value: number): string =>
    constant(emit, `${name}/${key}`, { shape: [], data: Float32Array.of(value) });
  const same = (op: string, ...names: string[]): Placed => ({
    name: emit(name, op, names, T),
    shape,
  });
  const biased = (op: string, names: string[], attributes: FrozenNode['attributes']): string => {
    if (!('hasBias' in layer) || !layer.hasBias) return emit(name, op, names, attributes);
    const product = emit(`${name}/product`, op, names, attributes);
    return emit(name, 'AddV2', [product, weight('bias')], T);
  };
  switch (layer.kind) {
    case 'conv': {
      const { size, stride, padding, cout } = layer;
      const isSame = stride === 1 && 2 * padding === size - 1;
      let from = x.name;
      if (!isSame && padding > 0) {
        const sides = [0, 0, padding, padding, padding, padding, 0, 0];
        const paddings = constant(emit, `${name}/paddings`, integers(sides, [4, 2]));
        from = emit(`${name}/pad`, 'Pad', [from, paddings], { ...T, Tpaddings: type('int32') });
      }
      const out = biased('Conv2D', [from, weight('weight')], {
        ...T,
        strides: { kind: 'ints', value: [1, stride, stride, 1] },
        dilations: { kind: 'ints', value: [1, 1, 1, 1] },
        padding: { kind: 'string', value: isSame ? 'SAME' : 'VALID' },
        data_format: { kind: 'string', value: 'NHWC' },
      });
      const [height, width] = shape.map((extent) => extent + 2 * padding);
      return { name: out, shape: [...windows([height, width], size, stride), cout] };
    }
    case 'linear': {
      const isTransposed = { kind: 'bool', value: false } as const;
      const attributes = { ...T, transpose_a: isTransposed, transpose_b: isTransposed };
      return {
        name: biased('MatMul', [x.name, weight('weight')], attributes),
        shape: [layer.cout],
      };
    }
    case 'batch-norm':
    case 'ghost-batch-norm': {
      const owned = ['weight', 'bias', 'running_mean', 'running_var'].map(weight);
      emit(name, 'FusedBatchNormV3', [x.name, ...owned], {
        ...T,
        U: float,
        epsilon: { kind: 'float', value: layer.epsilon },
        data_format: { kind: 'string', value: 'NHWC' },
        is_training: { kind: 'bool', value: false },
      });
      return { name, shape };
    }
    case 'relu':
      return same('Relu', x.name);
    case 'celu': {
      const alpha = scalar('alpha', layer.alpha);
      const divided = emit(`${name}/divided`, 'RealDiv', [x.name, alpha], T);
      return same('Mul', emit(`${name}/elu`, 'Elu', [divided], T), alpha);
    }
    case 'softplus': {
      const beta = scalar('beta', layer.beta);
      const scaled = emit(`${name}/scaled`, 'Mul', [x.name, beta], T);
      const soft = emit(`${name}/soft`, 'Softplus', [scaled], T);
      const curve = emit(`${name}/curve`, 'RealDiv', [soft, beta], T);
      const threshold = scalar('threshold', layer.threshold);
      const isLinear = emit(`${name}/is-linear`, 'Greater', [scaled, threshold], T);
      return same('SelectV2', isLinear, x.name, curve);
    }
    case 'shift-scale-relu': {
      const positive = emit(`${name}/relu`, 'Relu', [x.name], T);
      const mean = scalar('mean', Math.sqrt(1 / Math.PI));
      const shifted = emit(`${name}/shifted`, 'Sub', [positive, mean], T);
      return same('RealDiv', shifted, scalar('std', Math.sqrt(1 - 1 / Math.PI)));
    }
    case 'gelu': {
      const scaled = emit(`${name}/scaled`, 'Mul', [x.name, scalar('slope', Math.SQRT1_2)], T);
      const erf = emit(`${name}/erf`, 'Erf', [scaled], T);
      const twice = emit(`${name}/twice`, 'AddV2', [erf, scalar('one', 1)], T);
      const half = emit(`${name}/half`, 'Mul', [x.name, scalar('factor', 0.5)], T);
      return same('Mul', twice, half);
    }
    case 'silu':
      return same('Mul', x.name, emit(`${name}/sigmoid`, 'Sigmoid', [x.name], T));
    case 'max-pool':
    case 'avg-pool': {
      const { size, stride } = layer;
      emit(name, layer.kind === 'max-pool' ? 'MaxPool' : 'AvgPool', [x.name], {
        ...T,
        ksize: { kind: 'ints', value: [1, size, size, 1] },
        strides: { kind: 'ints', value: [1, stride, stride, 1] },
        padding: { kind: 'string', value: 'VALID' },
        data_format: { kind: 'string', value: 'NHWC' },
      });
      return { name, shape: [...windows(shape.slice(0, 2), size, stride), shape[2]] };
    }
    case 'global-max-pool': {
      const [height, width, channels] = shape;
      emit(name, 'MaxPool', [x.name], {
        ...T,
        ksize: { kind: 'ints', value: [1, height, width, 1] },
        strides: { kind: 'ints', value: [1, 1, 1, 1] },
        padding: { kind: 'string', value: 'VALID' },
        data_format: { kind: 'string', value: 'NHWC' },
      });
      return { name, shape: [1, 1, channels] };
    }
    case 'identity':
      return same('Identity', x.name);
    case 'add':
      return same('AddV2', x.name, inputs[1].name);
    case 'add-weighted': {
      const wx = emit(`${name}/x`, 'Mul', [x.name, scalar('wx', layer.wx)], T);
      const wy = emit(`${name}/y`, 'Mul', [inputs[1].name, scalar('wy', layer.wy)], T);
      return same('AddV2', wx, wy);
    }
    case 'mul':
      return same('Mul', x.name, scalar('weight', layer.weight));
    case 'concat': {
      const axis = constant(emit, `${name}/axis`, integers([shape.length], []));
      emit(name, 'ConcatV2', [...inputs.map((input) => input.name), axis], {
        ...T,
        N: { kind: 'int', value: inputs.length },
        Tidx: type('int32'),
      });
      const channels = inputs.reduce((sum, input) => sum + (input.shape.at(-1) ?? 0), 0);
      return { name, shape: [...shape.slice(0, -1), channels] };
    }
    case 'flatten': {
      const length = sizeOf(shape);
      const to = constant(emit, `${name}/shape`, integers([-1, length]));
      emit(name, 'Reshape', [x.name, to], { ...T, Tshape: type('int32') });
      return { name, shape: [length] };
    }
    case 'log-softmax':
    case 'cross-entropy':
    case 'nll':
    case 'kl-uniform':
    case 'correct':
      throw new ExportError(
        `export: "${name.slice(name.indexOf('/') + 1)}" is a ${layer.kind}, which needs targets or belongs to a loss. ` +
          'Give the network without its loss.',
      );
    default:
      return layer satisfies never;
  }
}

/** How many windows fit along each side. */
function windows(sides: readonly number[], size: number, stride: number): number[] {
  return sides.map((side) => Math.floor((side - size) / stride) + 1);
}
