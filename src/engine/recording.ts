import { isDeepStrictEqual } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import type { Algorithms } from './conv-algorithm';
import { attributeType, dataType, shapeConstant } from './graph';
import type { TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { withOwnKernels } from './raw/own-kernels';
import { ownOperations } from './raw/own-operations';
import { runAfterName } from './raw/run-after';
import { widenName } from './raw/widen';
import { addConvolution, isConvolution } from './direct-convolution';
import { castOperation } from './precision';
import type { CastOperation } from './precision';
import { addOwnConvolution } from './own-convolution';
import { loadTensorflow } from './tensorflow';
import type { NodeBackend, OpAttribute } from './backend';

/** The entry of tfjs-node's backend for a tensor. `values` stays on the host until an operation first reads it. */
interface Stored {
  readonly shape: readonly number[];
  readonly dtype: number;
  readonly id: number | null;
  readonly values: tf.TypedArray | null;
}

/** The parts of the backend that a recording uses or replaces. */
interface RecordableBackend extends NodeBackend {
  readonly tensorMap: { has(dataId: object): boolean; get(dataId: object): Stored };
  createOutputTensor(metadata: {
    readonly id: number;
    readonly shape: readonly number[];
    readonly dtype: number;
  }): tf.Tensor;
  read(dataId: object): Promise<unknown>;
  readSync(dataId: object): unknown;
  write(values: unknown, shape: readonly number[], dtype: string): object;
}

/**
 * Kernels of tfjs-node whose attribute `T` may name another type than that of the input they pass, and that input's place:
 * an int32 or bool tensor is cast to float32 before a mean, and the gradient of an int32 convolution is called float32.
 * TensorFlow corrects the attribute when it runs an operation eagerly, but not in a graph.
 */
const typeInputs: ReadonlyMap<string, number> = new Map([
  ['Mean', 0],
  ['Conv2DBackpropInput', 1],
  ['Conv2DBackpropFilter', 0],
]);

/** Larger constants are rejected: they are most likely data that belongs in the state or the inputs. */
const largestConstantBytes = 1 << 20;

/** A recording in progress: tensors that stand for values of the graph. */
export interface Recorder {
  /** Returns a tensor that stands for a value. It has a shape but no data; dispose it like any other. */
  readonly tensor: (value: Value) => tf.Tensor;
  /** Returns the value that a tensor stands for; a tensor made from numbers becomes a constant. */
  readonly value: (tensor: tf.TensorInfo) => Value;
}

/**
 * Runs `body` with TF.js's operations recorded into `graph` instead of executed, and returns its result.
 *
 * Every kernel of tfjs-node ends in one of two calls of its backend. During the recording these add a node and return a
 * tensor without data, with the shape that TensorFlow infers. TF.js differentiates such tensors like any others.
 *
 * @param name name of the step, for error messages
 * @throws CaptureError if `body` reads a value, draws a random number, or uses a tensor from outside the recording
 */
export function record<T>(
  graph: TensorGraph,
  name: string,
  precision: Precision,
  algorithms: Algorithms,
  body: (recorder: Recorder) => T,
): T {
  const backend = loadTensorflow().backend as RecordableBackend;
  if (Object.hasOwn(backend, 'executeSingleOutput')) {
    throw new CaptureError(
      `capture: "${name}" is captured while another step is being recorded. Capture one step after the other.`,
    );
  }
  const recorded = createValues(graph, name, backend);
  const { random } = Math;
  replaceBackend(backend, name, recorded, (op, attributes, inputs) =>
    addOperation(
      { graph, name, precision, algorithms },
      op,
      attributes,
      inputs.map(recorded.value),
      recorded.areOnes,
    ),
  );
  // TF.js seeds its random tensors from Math.random.
  Math.random = () => {
    throw new CaptureError(
      `capture: "${name}" draws random numbers while it is recorded; every run would repeat them. ` +
        'Draw them before the step and pass them as an input.',
    );
  };
  try {
    return withOwnKernels(algorithms.hasOwn && precision !== 'fp16', () => body(recorded));
  } finally {
    Math.random = random;
    // Deleting the replacements restores the prototype's methods.
    for (const method of replacedMethods) Reflect.deleteProperty(backend, method);
  }
}

/** The tensors of a recording, and the constants among them. */
interface RecordedValues extends Recorder {
  /** Registers a tensor that the step makes from numbers. */
  readonly note: (dataId: object) => void;
  /** Whether a value is a large constant of ones. */
  readonly areOnes: (value: Value) => boolean;
}

function createValues(
  graph: TensorGraph,
  name: string,
  backend: RecordableBackend,
): RecordedValues {
  const values = new WeakMap<object, Value>();
  const written = new WeakSet<object>();
  const ones = new WeakSet<Value>();
  return {
    areOnes: (value) => ones.has(value),
    note: (dataId) => void written.add(dataId),
    tensor(value) {
      const dtype = wideType(value.dtype);
      const made = backend.createOutputTensor({ id: -1, shape: value.shape, dtype });
      values.set(made.dataId, value);
      return made;
    },
    value(info) {
      const known = values.get(info.dataId);
      if (known !== undefined) return known;
      if (isInt64(info)) {
        return graph.constant({ dtype: dataType.int64, shape: [], data: info.valueArray });
      }
      const { tensorMap } = backend;
      const isOwn = written.has(info.dataId) && tensorMap.has(info.dataId);
      const stored = isOwn ? tensorMap.get(info.dataId) : undefined;
      const constant = addConstant(graph, name, info, stored);
      const isFill = graph.entries[constant.ref[0]].op === 'Fill';
      if (isFill && Number(stored?.values?.[0]) === 1) ones.add(constant);
      values.set(info.dataId, constant);
      return constant;
    },
  };
}

/** Adds a constant for a tensor that the step made from numbers; `stored` is undefined for any other tensor. */
function addConstant(
  graph: TensorGraph,
  name: string,
  { dtype, shape: extents }: tf.TensorInfo,
  stored: Stored | undefined,
): Value {
  const shape = `[${extents.join()}]`;
  if (stored === undefined || stored.values === null) {
    throw new CaptureError(
      `capture: "${name}" uses a ${dtype} tensor ${shape} that was created outside the step; a recording ` +
        'would freeze its value. Pass it as an input, or put it into the state.',
    );
  }
  const { values } = stored;
  if (!ArrayBuffer.isView(values)) {
    throw new CaptureError(
      `capture: "${name}" uses a ${dtype} tensor ${shape}; a recording supports only numbers and booleans.`,
    );
  }
  if (values.byteLength <= largestConstantBytes) {
    return graph.constant({ dtype: stored.dtype, shape: stored.shape, data: values });
  }
  // In the gradients of sums and means TF.js multiplies by ones, whatever the size.
  const [first] = values;
  if (values.every((value) => Object.is(value, first))) {
    return fill(graph, stored, values.slice(0, 1));
  }
  throw new CaptureError(
    `capture: "${name}" creates a constant ${shape} of ${values.byteLength} bytes; the limit is ` +
      `${largestConstantBytes}. Pass it as an input, or put it into the state.`,
  );
}

/** Adds one operation in its number format and with its algorithm. Returns its outputs. */
function addOperation(
  {
    graph,
    name,
    precision,
    algorithms,
  }: {
    readonly graph: TensorGraph;
    readonly name: string;
    readonly precision: Precision;
    readonly algorithms: Algorithms;
  },
  op: string,
  attributes: readonly OpAttribute[],
  read: readonly Value[],
  areOnes: (value: Value) => boolean,
): readonly Value[] {
  if (op === runAfterName) return [identityAfter(graph, read)];
  if (op === widenName) return [graph.cast(read[0], dataType.float32)];
  if (op === 'Mul') {
    for (const [ones, other] of [read, [read[1], read[0]]]) {
      const product = areOnes(ones) ? productWithOnes(graph, other, ones) : undefined;
      if (product !== undefined) return [product];
    }
  }
  const cast = castOperation(graph, precision, op, read, withInputType(op, attributes, read));
  const own = addOwnConvolution(graph, algorithms, op, cast, read);
  if (own !== undefined) return [own];
  try {
    if (isConvolution(op)) return [addConvolution(graph, op, cast.inputs, cast.attributes)];
    return graph.add(op, cast.inputs, cast.attributes, [], ownShapes(op, cast)).outputs;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CaptureError(`capture: "${name}" cannot record "${op}": ${reason}`, { cause });
  }
}

const replacedMethods = [
  'executeSingleOutput',
  'executeMultipleOutputs',
  'read',
  'readSync',
  'write',
] as const;

/** Overrides the methods of the backend with methods that record. */
function replaceBackend(
  backend: RecordableBackend,
  name: string,
  recorded: RecordedValues,
  add: (
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly tf.TensorInfo[],
  ) => readonly Value[],
): void {
  const refuse = (what: string) => (): never => {
    throw new CaptureError(
      `capture: ${what} was called while recording "${name}"; the value exists only when the graph runs. ` +
        'Return the tensor as an output and read it after the call.',
    );
  };
  const execute = (op: string, attributes: OpAttribute[], inputs: tf.TensorInfo[]): tf.Tensor[] => {
    if (op.startsWith('Random') || op === 'Multinomial') {
      throw new CaptureError(
        `capture: "${name}" draws random numbers ("${op}"). Draw them before the step and pass them as an input.`,
      );
    }
    return add(op, attributes, inputs).map(recorded.tensor);
  };
  const prototype = Object.getPrototypeOf(backend) as RecordableBackend;
  const replacements: Record<(typeof replacedMethods)[number], unknown> = {
    executeSingleOutput: (...call: Parameters<typeof execute>) => execute(...call)[0],
    executeMultipleOutputs: execute,
    read: refuse('data()'),
    readSync: refuse('dataSync()'),
    write: (given: unknown, shape: readonly number[], dtype: string): object => {
      const dataId = prototype.write.call(backend, given, shape, dtype);
      recorded.note(dataId);
      return dataId;
    },
  };
  Object.assign(backend, replacements);
}

/** The attributes with `T` as the type of the operation's input; 16-bit types appear as float32, as they do in TF.js. */
function withInputType(
  op: string,
  attributes: readonly OpAttribute[],
  read: readonly Value[],
): readonly OpAttribute[] {
  const place = typeInputs.get(op);
  if (place === undefined) return attributes;
  const value = wideType(read[place].dtype);
  return attributes.map((given) => (given.name === 'T' ? { ...given, value } : given));
}

/** TF.js has no floating type except float32, so low precision appears as float32. */
function wideType(dtype: number): number {
  return dtype === dataType.bfloat16 || dtype === dataType.float16 ? dataType.float32 : dtype;
}

/** The first of the values, available when the others are computed. */
function identityAfter(graph: TensorGraph, [value, ...first]: readonly Value[]): Value {
  return graph.add(
    'Identity',
    [value],
    [{ name: 'T', type: attributeType.type, value: value.dtype }],
    first.map(({ ref }) => ref[0]),
  ).outputs[0];
}

/** The output shapes of one of our own operations; empty for TensorFlow's, whose shapes the graph infers. */
function ownShapes(
  op: string,
  { inputs, attributes }: CastOperation,
): readonly (readonly number[])[] {
  const own = ownOperations.get(op);
  if (own === undefined) return [];
  return own.shapes(
    inputs.map(({ shape }) => shape),
    (name) => Number(attributes.find((attribute) => attribute.name === name)?.value),
  );
}

/** The product of a value and ones, without multiplying; undefined if it has the shape of neither. */
function productWithOnes(graph: TensorGraph, value: Value, ones: Value): Value | undefined {
  const [from, to] = [value.shape, ones.shape].map((shape) => [...shape]);
  const product = tf.broadcast_util.assertAndGetBroadcastShape(from, to);
  if (isDeepStrictEqual(product, from)) return value;
  if (!isDeepStrictEqual(product, to)) return undefined;
  return graph.add(
    'BroadcastTo',
    [value, shapeConstant(graph, to)],
    [
      { name: 'T', type: attributeType.type, value: value.dtype },
      { name: 'Tidx', type: attributeType.type, value: dataType.int32 },
    ],
  ).outputs[0];
}

/** A tensor filled with one value. */
function fill(
  graph: TensorGraph,
  { dtype, shape }: Pick<Stored, 'dtype' | 'shape'>,
  value: tf.TypedArray,
): Value {
  return graph.add(
    'Fill',
    [shapeConstant(graph, shape), graph.constant({ dtype, shape: [], data: value })],
    [
      { name: 'T', type: attributeType.type, value: dtype },
      { name: 'index_type', type: attributeType.type, value: dataType.int32 },
    ],
  ).outputs[0];
}

/** tfjs-node passes 64-bit integers to the backend as objects of its own. */
function isInt64(info: object): info is { readonly valueArray: Int32Array } {
  return 'valueArray' in info && info.valueArray instanceof Int32Array;
}
