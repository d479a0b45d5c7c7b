import type * as tf from '@tensorflow/tfjs-core';
import { CaptureError } from '../base/errors';
import type { Algorithms } from './conv-algorithm';
import { attributeType, dataType } from './graph';
import type { GraphEntry, TensorGraph, Value } from './graph';
import type { Precision } from './hardware';
import { withOwnKernels } from './raw/own-kernels';
import { ownOperations } from './raw/own-operations';
import { castOperation } from './precision';
import type { CastOperation } from './precision';
import { addOwnConvolution } from './own-convolution';
import { loadTensorflow } from './tensorflow';
import type { NodeBackend, OpAttribute } from './backend';

/** What the backend of tfjs-node keeps of a tensor. `values` waits on the host until an operation first reads it. */
interface Stored {
  readonly shape: readonly number[];
  readonly dtype: number;
  readonly id: number | null;
  readonly values: tf.TypedArray | null;
}

/** The parts of the backend that a recording puts its own in place of. */
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

/** Constants larger than this are data that somebody forgot to put into the state or the inputs. */
const largestConstantBytes = 1 << 20;

/** A recording in progress: tensors that stand for values of the graph. */
export interface Recorder {
  /** A tensor that stands for a value. It has a shape and no numbers; dispose it like any other. */
  readonly tensor: (value: Value) => tf.Tensor;
  /** The value that a tensor stands for; a tensor made of numbers becomes a constant. */
  readonly value: (tensor: tf.Tensor) => Value;
}

/**
 * Runs `body` with TF.js's operations written into `graph` instead of executed, and returns what it returns.
 *
 * All kernels of tfjs-node end in two calls of its backend; while the recording lasts these add a node and hand back a
 * tensor without numbers, of the shape that TensorFlow infers. TF.js differentiates such tensors like any others.
 *
 * @param name of what is recorded, for errors
 * @throws CaptureError if `body` reads a value, draws a random number, or uses a tensor from outside of the recording
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
      `capture: "${name}" was to be recorded within another step. Capture one after the other.`,
    );
  }
  const values = new WeakMap<object, Value>();
  const written = new WeakSet<object>();

  const tensor = (value: Value): tf.Tensor => {
    // In JavaScript low precision is float32, as TF.js has no other floating type.
    const dtype =
      value.dtype === dataType.bfloat16 || value.dtype === dataType.float16
        ? dataType.float32
        : value.dtype;
    const made = backend.createOutputTensor({ id: -1, shape: value.shape, dtype });
    values.set(made.dataId, value);
    return made;
  };

  const valueOf = (info: tf.TensorInfo): Value => {
    const known = values.get(info.dataId);
    if (known !== undefined) return known;
    if (isInt64(info)) {
      return graph.constant({ dtype: dataType.int64, shape: [], data: info.valueArray });
    }
    const shape = `[${info.shape.join()}]`;
    const stored = backend.tensorMap.has(info.dataId)
      ? backend.tensorMap.get(info.dataId)
      : undefined;
    if (stored?.values === null || stored === undefined || !written.has(info.dataId)) {
      throw new CaptureError(
        `capture: "${name}" uses a ${info.dtype} tensor ${shape} that was made outside of the step; a recording ` +
          'would keep its value for ever. Pass it as an input, or put it into the state.',
      );
    }
    if (!ArrayBuffer.isView(stored.values)) {
      throw new CaptureError(
        `capture: "${name}" uses a ${info.dtype} tensor ${shape}; a recording takes numbers and truth values only.`,
      );
    }
    if (stored.values.byteLength > largestConstantBytes) {
      // TF.js multiplies by ones in the gradients of sums and means, whatever the size.
      const first = stored.values[0];
      if (stored.values.every((value) => Object.is(value, first))) {
        const filled = fill(graph, stored, stored.values.slice(0, 1));
        values.set(info.dataId, filled);
        return filled;
      }
      throw new CaptureError(
        `capture: "${name}" makes a constant ${shape} of ${stored.values.byteLength} bytes. ` +
          'Pass it as an input, or put it into the state.',
      );
    }
    const constant = graph.constant({
      dtype: stored.dtype,
      shape: stored.shape,
      data: stored.values,
    });
    values.set(info.dataId, constant);
    return constant;
  };

  const execute = (
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly tf.TensorInfo[],
  ): tf.Tensor[] => {
    if (op.startsWith('Random') || op === 'Multinomial') {
      throw new CaptureError(
        `capture: "${name}" draws random numbers ("${op}"). Draw them before the step and pass them as an input.`,
      );
    }
    const read = inputs.map(valueOf);
    const cast = castOperation(graph, precision, op, read, attributes);
    const own = addOwnConvolution(graph, algorithms, op, cast, read);
    if (own !== undefined) return [tensor(own)];
    let added: GraphEntry;
    try {
      added = graph.add(op, cast.inputs, cast.attributes, [], ownShapes(op, cast));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new CaptureError(`capture: "${name}" cannot record "${op}": ${reason}`, { cause });
    }
    return added.outputs.map(tensor);
  };
  const refuse = (what: string) => (): never => {
    throw new CaptureError(
      `capture: ${what} was called while recording "${name}"; the value exists only when the graph runs. ` +
        'Return the tensor as an output and read it after the call.',
    );
  };
  const refuseRandom = (): never => {
    throw new CaptureError(
      `capture: "${name}" draws random numbers while it is recorded, which would stay the same for ever. ` +
        'Draw them before the step and pass them as an input.',
    );
  };

  const { random } = Math;
  const prototype = Object.getPrototypeOf(backend) as RecordableBackend;
  Object.assign(backend, {
    executeSingleOutput: (op: string, attributes: OpAttribute[], inputs: tf.TensorInfo[]) =>
      execute(op, attributes, inputs)[0],
    executeMultipleOutputs: execute,
    read: refuse('data()'),
    readSync: refuse('dataSync()'),
    write: (given: unknown, shape: readonly number[], dtype: string): object => {
      const dataId = prototype.write.call(backend, given, shape, dtype);
      written.add(dataId);
      return dataId;
    },
  });
  // TF.js seeds its own random tensors from here.
  Math.random = refuseRandom;
  try {
    return withOwnKernels(algorithms.hasOwn && precision !== 'fp16', () =>
      body({ tensor, value: valueOf }),
    );
  } finally {
    Math.random = random;
    // What stood in front of the prototype's methods goes away again.
    for (const method of [
      'executeSingleOutput',
      'executeMultipleOutputs',
      'read',
      'readSync',
      'write',
    ]) {
      Reflect.deleteProperty(backend, method);
    }
  }
}

/** The shapes of what an operation of our own gives; of TensorFlow's the graph infers them. */
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

/** A tensor of one value. */
function fill(
  graph: TensorGraph,
  { dtype, shape }: Pick<Stored, 'dtype' | 'shape'>,
  value: tf.TypedArray,
): Value {
  const dims = { dtype: dataType.int32, shape: [shape.length], data: Int32Array.from(shape) };
  return graph.add(
    'Fill',
    [graph.constant(dims), graph.constant({ dtype, shape: [], data: value })],
    [
      { name: 'T', type: attributeType.type, value: dtype },
      { name: 'index_type', type: attributeType.type, value: dataType.int32 },
    ],
  ).outputs[0];
}

/** tfjs-node hands 64-bit integers to the backend as objects of its own. */
function isInt64(info: object): info is { readonly valueArray: Int32Array } {
  return 'valueArray' in info && info.valueArray instanceof Int32Array;
}
