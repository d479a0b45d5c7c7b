import { ExportError } from '../base/errors';
import type { HostTensor } from '../base/host-tensor';
import type { FrozenGraph, FrozenValue } from './frozen-graph';
import type { FrozenAttribute, FrozenNode } from './frozen-node';
import { bytes, encode, float, integersOf, message, text, varint } from './protobuf';
import type { Write } from './protobuf';

/** The versions of the format and of its operations, from 2022, which every later runtime reads. */
const irVersion = 8;
const opset = 17;

/** ONNX's numbers for element types. */
const float32 = 1;
const int64 = 7;

/**
 * Converts a frozen graph to the bytes of an ONNX model.
 *
 * The input is `images` as float32 `[N,H,W,C]` of 0..255; the outputs are `logits` and `probabilities`, as in the graph
 * model. Inside, activations are `[N,C,H,W]` and kernels `[cout,cin,kh,kw]`, as ONNX's operations require.
 *
 * @param metadata stored in the model as strings
 * @throws ExportError for an operation that {@link freeze} does not write
 * @see ONNX, onnx/onnx.proto, for the numbers of the fields, and its Operators.md
 */
export function onnxModel(
  { nodes, inputs: { images, bytes: asBytes }, outputs }: FrozenGraph,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const writer = createWriter();
  writer.value(
    images.name,
    4,
    writer.node('Transpose', `${images.name}/nchw`, [images.name], toNchw),
  );
  for (const node of nodes) {
    if (node.name === asBytes.name || node.name === images.name) continue;
    if (node.op === 'Const') writer.constant(node.name, tensorOf(node.attributes.value));
    else writeNode(writer, node);
  }
  const graph: Write = (to) => {
    for (const node of writer.nodes) message(to, 1, node);
    text(to, 2, 'cifar10-fast');
    for (const tensor of writer.initialisers) message(to, 5, tensor);
    message(to, 11, valueInfo(images));
    for (const value of Object.values(outputs)) message(to, 12, valueInfo(value));
  };
  return encode((file) => {
    varint(file, 1, irVersion);
    text(file, 2, 'cifar10-fast');
    message(file, 7, graph);
    message(file, 8, (operations) => varint(operations, 2, opset));
    for (const [key, value] of Object.entries(metadata)) {
      message(file, 14, (pair) => {
        text(pair, 1, key);
        text(pair, 2, value);
      });
    }
  });
}

/** Attributes of a node; plain numbers are integers, `float` marks a float. */
type Attributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

/** Collects the parts of a graph; see {@link createWriter}. */
interface Writer {
  readonly nodes: Write[];
  readonly initialisers: Write[];
  /** Adds a node and returns the name of its output, which is the node's name. */
  node(op: string, name: string, inputs: readonly string[], attributes?: Attributes): string;
  /** Sets the rank of a value of the frozen graph, and its name in the ONNX graph. */
  value(name: string, rank: number, here?: string): void;
  constant(name: string, tensor: HostTensor): void;
  /** Returns the constant of this name without writing it. */
  constantOf(name: string): HostTensor;
  /** Writes a tensor and returns its name. */
  initialiser(name: string, tensor: HostTensor): string;
  /** Writes integers `[N]` and returns the name of the tensor. */
  integers(name: string, values: readonly number[]): string;
  /** The name of a value in the ONNX graph. Writes a constant, shaped to broadcast over a value of this rank. */
  input(name: string, rank?: number): string;
  rankOf(name: string): number | undefined;
}

const toNchw: Attributes = { perm: [0, 3, 1, 2] };
const toNhwc: Attributes = { perm: [0, 2, 3, 1] };

function createWriter(): Writer {
  const values = new Map<string, { readonly rank: number; readonly here: string }>();
  const constants = new Map<string, HostTensor>();
  const written = new Set<string>();
  const nodes: Write[] = [];
  const initialisers: Write[] = [];
  const write = (
    name: string,
    type: number,
    shape: readonly number[],
    data: ArrayBufferView,
  ): string => {
    if (written.has(name)) return name;
    written.add(name);
    initialisers.push((to) => {
      integersOf(to, 1, shape);
      varint(to, 2, type);
      text(to, 8, name);
      bytes(to, 9, data);
    });
    return name;
  };
  const constantOf = (name: string): HostTensor => constants.get(name) as HostTensor;
  const initialiser = (name: string, { shape, data }: HostTensor): string =>
    write(name, float32, shape, data);
  return {
    nodes,
    initialisers,
    node(op, name, inputs, attributes = {}) {
      nodes.push((to) => {
        for (const input of inputs) text(to, 1, input);
        text(to, 2, name);
        text(to, 3, name);
        text(to, 4, op);
        for (const [key, value] of Object.entries(attributes)) {
          message(to, 5, attribute(key, value));
        }
      });
      return name;
    },
    value(name, rank, here = name) {
      values.set(name, { rank, here });
    },
    constant(name, tensor) {
      constants.set(name, tensor);
    },
    constantOf,
    initialiser,
    integers(name, given) {
      const data = BigInt64Array.from(given, (each) => BigInt(each));
      return write(name, int64, [given.length], data);
    },
    input(name, rank = 0) {
      const value = values.get(name);
      if (value !== undefined) return value.here;
      const { shape, data } = constantOf(name);
      const isByChannel = shape.length === 1 && rank === 4;
      return initialiser(name, { shape: isByChannel ? [...shape, 1, 1] : shape, data });
    },
    rankOf: (name) => values.get(name)?.rank,
  };
}

/** Operations that preserve the shape or broadcast, and their ONNX names. */
const elementwise: ReadonlyMap<string, string> = new Map([
  ['Sub', 'Sub'],
  ['RealDiv', 'Div'],
  ['AddV2', 'Add'],
  ['Mul', 'Mul'],
  ['Greater', 'Greater'],
  ['SelectV2', 'Where'],
  ['Relu', 'Relu'],
  ['Elu', 'Elu'],
  ['Softplus', 'Softplus'],
  ['Erf', 'Erf'],
  ['Sigmoid', 'Sigmoid'],
  ['Softmax', 'Softmax'],
  ['Identity', 'Identity'],
]);

function writeNode(writer: Writer, { name, op, inputs, attributes }: FrozenNode): void {
  const ranks = inputs.flatMap((input) => writer.rankOf(input) ?? []);
  const rank = Math.max(...ranks);
  const same = elementwise.get(op);
  if (same !== undefined) {
    const read = inputs.map((input) => writer.input(input, rank));
    writer.value(name, rank, writer.node(same, name, read));
    return;
  }
  const x = writer.input(inputs[0]);
  switch (op) {
    case 'Conv2D': {
      const kernel = writer.constantOf(inputs[1]);
      const [height, width] = kernel.shape;
      const isSame = textOf(attributes.padding) === 'SAME';
      const [top, left] = isSame ? [(height - 1) / 2, (width - 1) / 2] : [0, 0];
      const weight = writer.initialiser(inputs[1], transposed(kernel));
      writer.node('Conv', name, [x, weight], {
        kernel_shape: [height, width],
        strides: sidesOf(attributes.strides),
        pads: [top, left, top, left],
      });
      break;
    }
    case 'MatMul':
      writer.node('MatMul', name, [x, writer.input(inputs[1])]);
      break;
    case 'FusedBatchNormV3': {
      const owned = inputs.slice(1).map((input) => writer.input(input));
      const epsilon = { float: numberOf(attributes.epsilon) };
      writer.node('BatchNormalization', name, [x, ...owned], { epsilon });
      break;
    }
    case 'MaxPool':
    case 'AvgPool':
      writer.node(op === 'MaxPool' ? op : 'AveragePool', name, [x], {
        kernel_shape: sidesOf(attributes.ksize),
        strides: sidesOf(attributes.strides),
      });
      break;
    case 'Pad': {
      // A pair (before, after) per axis, in NHWC.
      const [before, after] = [0, 1].map((at) => {
        const pairs = writer.constantOf(inputs[1]).data;
        return [0, 3, 1, 2].map((axis) => pairs[2 * axis + at]);
      });
      writer.node('Pad', name, [x, writer.integers(inputs[1], [...before, ...after])]);
      break;
    }
    case 'ReverseV2': {
      const of = (key: string, value: number): string => writer.integers(`${name}/${key}`, [value]);
      const [axis] = writer.constantOf(inputs[1]).data;
      // ONNX clamps the end to -1, the position before the first element.
      const bounds = [of('start', -1), of('end', -(2 ** 31)), of('axis', fromNhwc(axis))];
      writer.node('Slice', name, [x, ...bounds, of('step', -1)]);
      break;
    }
    case 'ConcatV2': {
      const [axis] = writer.constantOf(inputs[inputs.length - 1]).data;
      const parts = inputs.slice(0, -1).map((input) => writer.input(input));
      writer.node('Concat', name, parts, { axis: rank === 4 ? fromNhwc(axis) : axis });
      break;
    }
    case 'Reshape': {
      const rows = rank === 4 ? writer.node('Transpose', `${name}/nhwc`, [x], toNhwc) : x;
      const { data } = writer.constantOf(inputs[1]);
      writer.node('Reshape', name, [rows, writer.integers(inputs[1], [...data])]);
      writer.value(name, data.length);
      return;
    }
    default:
      throw new ExportError(
        `onnx: "${name}" is ${op}, which has no ONNX translation. Use another format.`,
      );
  }
  writer.value(name, rank);
}

/** The index in `[N,C,H,W]` of an axis of `[N,H,W,C]`. */
function fromNhwc(axis: number): number {
  return [0, 2, 3, 1][axis];
}

/** A kernel `[kh,kw,cin,cout]` as `[cout,cin,kh,kw]`, in a new array. */
function transposed({ shape, data }: HostTensor): HostTensor {
  const [height, width, cin, cout] = shape;
  const out = new Float32Array(data.length);
  const area = height * width;
  for (let place = 0; place < area; place++) {
    for (let i = 0; i < cin; i++) {
      for (let o = 0; o < cout; o++) {
        out[(o * cin + i) * area + place] = data[(place * cin + i) * cout + o];
      }
    }
  }
  return { shape: [cout, cin, height, width], data: out };
}

function tensorOf(given: FrozenAttribute | undefined): HostTensor {
  return (given as Extract<FrozenAttribute, { kind: 'tensor' }>).value;
}

function textOf(given: FrozenAttribute): string {
  return (given as Extract<FrozenAttribute, { kind: 'string' }>).value;
}

function numberOf(given: FrozenAttribute): number {
  return (given as Extract<FrozenAttribute, { kind: 'float' }>).value;
}

/** Height and width of an attribute `[1,height,width,1]`. */
function sidesOf(given: FrozenAttribute): readonly number[] {
  return (given as Extract<FrozenAttribute, { kind: 'ints' }>).value.slice(1, 3);
}

function attribute(name: string, value: Attributes[string]): Write {
  const [floatType, intType, intsType] = [1, 2, 7];
  return (to) => {
    text(to, 1, name);
    if (typeof value === 'number') {
      varint(to, 3, value);
      varint(to, 20, intType);
    } else if ('float' in value) {
      float(to, 2, value.float);
      varint(to, 20, floatType);
    } else {
      integersOf(to, 8, value);
      varint(to, 20, intsType);
    }
  };
}

/** An input or output; a dimension of -1 is named N. */
function valueInfo({ name, shape }: FrozenValue): Write {
  const dimensions: Write = (to) => {
    for (const extent of shape) {
      message(to, 1, (dimension) =>
        extent === -1 ? text(dimension, 2, 'N') : varint(dimension, 1, extent),
      );
    }
  };
  return (to) => {
    text(to, 1, name);
    message(to, 2, (type) =>
      message(type, 1, (tensor) => {
        varint(tensor, 1, float32);
        message(tensor, 2, dimensions);
      }),
    );
  };
}
