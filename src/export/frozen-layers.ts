import { ExportError } from '../base/errors';
import { sizeOf } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import type { LayerOfKind } from '../graph/edit';
import type { AnyLayer } from '../nn/network';
import type { ElementType, FrozenAttribute, FrozenNode } from './frozen-node';

/** Adds a node and returns its name. */
export type Emit = (
  name: string,
  op: string,
  inputs: readonly string[],
  attributes?: FrozenNode['attributes'],
) => string;

/** A node's first output; `shape` excludes the batch axis. */
export interface Placed {
  readonly name: string;
  readonly shape: readonly number[];
}

/** An attribute that names an element type. */
export function type(value: ElementType): FrozenAttribute {
  return { kind: 'type', value };
}

/** The type of everything but indices. */
export const float: FrozenAttribute = type('float32');

/** An int32 tensor, a vector by default. */
export function integers(
  values: readonly number[],
  shape: readonly number[] = [values.length],
): HostTensor {
  return { shape, data: Int32Array.from(values) };
}

/** Adds a constant and returns its name. */
export function constant(emit: Emit, name: string, value: HostTensor): string {
  const dtype = type(value.data instanceof Int32Array ? 'int32' : 'float32');
  return emit(name, 'Const', [], { dtype, value: { kind: 'tensor', value } });
}

/** Where a layer's operations go: its name, its inputs, and its weights as constants of the graph. */
export interface LayerPlace {
  readonly emit: Emit;
  /** The name of its last operation. */
  readonly name: string;
  readonly inputs: readonly Placed[];
  /** Returns the name of the constant that holds one of its weights. */
  readonly weight: (name: string) => string;
}

const T = { T: float };

/**
 * Adds the operations of a layer in evaluation mode, and of the activation that `fuse` moved into it, if any.
 *
 * @throws ExportError for a loss layer
 */
export function emitLayer(layer: AnyLayer, place: LayerPlace): Placed {
  const activation = 'activation' in layer ? layer.activation : undefined;
  if (activation === undefined) return emitPlainLayer(layer, place);
  const before = emitPlainLayer(layer, { ...place, name: `${place.name}/before` });
  return { name: emitActivation(activation, { ...place, inputs: [before] }), shape: before.shape };
}

function emitPlainLayer(layer: AnyLayer, place: LayerPlace): Placed {
  const { emit, name, inputs, weight } = place;
  const [{ name: x, shape }] = inputs;
  const node = (op: string, names: readonly string[]): Placed => ({
    name: emit(name, op, names, T),
    shape,
  });
  switch (layer.kind) {
    case 'conv':
      return emitConv(layer, place);
    case 'linear': {
      const isTransposed = { kind: 'bool', value: false } as const;
      const attributes = { ...T, transpose_a: isTransposed, transpose_b: isTransposed };
      const product = withBias(layer, place, 'MatMul', [x, weight('weight')], attributes);
      return { name: product, shape: [layer.cout] };
    }
    case 'batch-norm':
    case 'ghost-batch-norm': {
      const owned = ['weight', 'bias', 'running_mean', 'running_var'].map(weight);
      emit(name, 'FusedBatchNormV3', [x, ...owned], {
        ...T,
        U: float,
        epsilon: { kind: 'float', value: layer.epsilon },
        data_format: { kind: 'string', value: 'NHWC' },
        is_training: { kind: 'bool', value: false },
      });
      return { name, shape };
    }
    case 'relu':
    case 'celu':
    case 'softplus':
    case 'shift-scale-relu':
    case 'gelu':
    case 'silu':
      return { name: emitActivation(layer, place), shape };
    case 'max-pool':
    case 'avg-pool':
    case 'global-max-pool':
      return emitPool(layer, place);
    case 'identity':
      return node('Identity', [x]);
    case 'add':
      return node('AddV2', [x, inputs[1].name]);
    case 'add-weighted': {
      const wx = emit(`${name}/x`, 'Mul', [x, scalar(place, 'wx', layer.wx)], T);
      const wy = emit(`${name}/y`, 'Mul', [inputs[1].name, scalar(place, 'wy', layer.wy)], T);
      return node('AddV2', [wx, wy]);
    }
    case 'mul':
      return node('Mul', [x, scalar(place, 'weight', layer.weight)]);
    case 'concat':
      return emitConcat(place);
    case 'flatten': {
      const length = sizeOf(shape);
      const to = constant(emit, `${name}/shape`, integers([-1, length]));
      emit(name, 'Reshape', [x, to], { ...T, Tshape: type('int32') });
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

function scalar({ emit, name }: LayerPlace, key: string, value: number): string {
  return constant(emit, `${name}/${key}`, { shape: [], data: Float32Array.of(value) });
}

/** A convolution or matrix product, with its bias if it has one. */
function withBias(
  { hasBias }: { readonly hasBias: boolean },
  { emit, name, weight }: LayerPlace,
  op: string,
  names: readonly string[],
  attributes: FrozenNode['attributes'],
): string {
  if (!hasBias) return emit(name, op, names, attributes);
  const product = emit(`${name}/product`, op, names, attributes);
  return emit(name, 'AddV2', [product, weight('bias')], T);
}

function emitConv(layer: LayerOfKind<AnyLayer, 'conv'>, place: LayerPlace): Placed {
  const { emit, name, inputs, weight } = place;
  const [{ name: x, shape }] = inputs;
  const { size, stride, padding, cout } = layer;
  const isSame = stride === 1 && 2 * padding === size - 1;
  let from = x;
  if (!isSame && padding > 0) {
    const sides = [0, 0, padding, padding, padding, padding, 0, 0];
    const paddings = constant(emit, `${name}/paddings`, integers(sides, [4, 2]));
    from = emit(`${name}/pad`, 'Pad', [from, paddings], { ...T, Tpaddings: type('int32') });
  }
  const out = withBias(layer, place, 'Conv2D', [from, weight('weight')], {
    ...T,
    strides: { kind: 'ints', value: [1, stride, stride, 1] },
    dilations: { kind: 'ints', value: [1, 1, 1, 1] },
    padding: { kind: 'string', value: isSame ? 'SAME' : 'VALID' },
    data_format: { kind: 'string', value: 'NHWC' },
  });
  const [height, width] = shape.map((extent) => extent + 2 * padding);
  return { name: out, shape: [...windows([height, width], size, stride), cout] };
}

type Activation = LayerOfKind<
  AnyLayer,
  'relu' | 'celu' | 'softplus' | 'shift-scale-relu' | 'gelu' | 'silu'
>;

/** Adds an element-wise activation and returns its name. */
function emitActivation(layer: Activation, place: LayerPlace): string {
  const { emit, name, inputs } = place;
  const [{ name: x }] = inputs;
  const part = (key: string, op: string, ...names: string[]): string =>
    emit(`${name}/${key}`, op, names, T);
  const last = (op: string, ...names: string[]): string => emit(name, op, names, T);
  switch (layer.kind) {
    case 'relu':
      return last('Relu', x);
    case 'celu': {
      const alpha = scalar(place, 'alpha', layer.alpha);
      return last('Mul', part('elu', 'Elu', part('divided', 'RealDiv', x, alpha)), alpha);
    }
    case 'softplus': {
      const beta = scalar(place, 'beta', layer.beta);
      const scaled = part('scaled', 'Mul', x, beta);
      const curve = part('curve', 'RealDiv', part('soft', 'Softplus', scaled), beta);
      const threshold = scalar(place, 'threshold', layer.threshold);
      return last('SelectV2', part('is-linear', 'Greater', scaled, threshold), x, curve);
    }
    case 'shift-scale-relu': {
      const positive = part('relu', 'Relu', x);
      const mean = scalar(place, 'mean', Math.sqrt(1 / Math.PI));
      const shifted = part('shifted', 'Sub', positive, mean);
      return last('RealDiv', shifted, scalar(place, 'std', Math.sqrt(1 - 1 / Math.PI)));
    }
    case 'gelu': {
      const scaled = part('scaled', 'Mul', x, scalar(place, 'slope', Math.SQRT1_2));
      const twice = part('twice', 'AddV2', part('erf', 'Erf', scaled), scalar(place, 'one', 1));
      return last('Mul', twice, part('half', 'Mul', x, scalar(place, 'factor', 0.5)));
    }
    case 'silu':
      return last('Mul', x, part('sigmoid', 'Sigmoid', x));
    default:
      return layer satisfies never;
  }
}

type Pool = LayerOfKind<AnyLayer, 'max-pool' | 'avg-pool' | 'global-max-pool'>;

function emitPool(layer: Pool, { emit, name, inputs }: LayerPlace): Placed {
  const [{ name: x, shape }] = inputs;
  const [height, width, channels] = shape;
  const isGlobal = layer.kind === 'global-max-pool';
  const sides = isGlobal ? [height, width] : [layer.size, layer.size];
  const stride = isGlobal ? 1 : layer.stride;
  emit(name, layer.kind === 'avg-pool' ? 'AvgPool' : 'MaxPool', [x], {
    ...T,
    ksize: { kind: 'ints', value: [1, ...sides, 1] },
    strides: { kind: 'ints', value: [1, stride, stride, 1] },
    padding: { kind: 'string', value: 'VALID' },
    data_format: { kind: 'string', value: 'NHWC' },
  });
  const out = isGlobal ? [1, 1] : windows([height, width], layer.size, stride);
  return { name, shape: [...out, channels] };
}

function emitConcat({ emit, name, inputs }: LayerPlace): Placed {
  const [{ shape }] = inputs;
  const axis = constant(emit, `${name}/axis`, integers([shape.length], []));
  emit(name, 'ConcatV2', [...inputs.map((input) => input.name), axis], {
    ...T,
    N: { kind: 'int', value: inputs.length },
    Tidx: type('int32'),
  });
  const channels = inputs.reduce((sum, input) => sum + (input.shape.at(-1) ?? 0), 0);
  return { name, shape: [...shape.slice(0, -1), channels] };
}

/** How many windows fit along each side. */
function windows(sides: readonly number[], size: number, stride: number): number[] {
  return sides.map((side) => Math.floor((side - size) / stride) + 1);
}
