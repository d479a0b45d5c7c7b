import type { Algorithms, ConvPass, ConvShape } from './conv-algorithm';
import { dataType } from './graph';
import type { TensorGraph, Value } from './graph';
import type { CastOperation } from './precision';

const passes: Readonly<Record<string, ConvPass>> = {
  Conv2D: 'forward',
  Conv2DBackpropInput: 'input-gradient',
  Conv2DBackpropFilter: 'kernel-gradient',
};

/**
 * Adds a convolution by the algorithm that was measured to be the fastest. Returns undefined if that is TensorFlow's own, or
 * if the convolution is not 3x3 with stride 1 and channels last, and either padded by 1, trimmed or unpadded.
 *
 * @param cast the operation as TensorFlow would run it
 * @param read its inputs before the cast, where kernels have full precision
 */
export function addOwnConvolution(
  graph: TensorGraph,
  algorithms: Algorithms,
  op: string,
  cast: CastOperation,
  read: readonly Value[],
): Value | undefined {
  const pass = passes[op];
  if (pass === undefined) return undefined;
  const valueOf = (name: string): unknown =>
    cast.attributes.find((given) => given.name === name)?.value;
  const isOnes = (value: unknown): boolean =>
    value === undefined || (Array.isArray(value) && value.every((extent) => extent === 1));
  // Inputs: x and kernel; x's shape, kernel and dy; x, kernel's shape and dy.
  const [first, , third] = cast.inputs;
  const gradient = third === undefined ? undefined : withoutZeros(graph, third);
  const activations = pass === 'input-gradient' && gradient !== undefined ? gradient : first;
  const kernelShape =
    pass === 'kernel-gradient' ? constantOf(graph, cast.inputs[1]) : read[1].shape;
  const imageShape = pass === 'input-gradient' ? constantOf(graph, first) : activations.shape;
  const after = zerosAfter(valueOf('padding'), valueOf('explicit_paddings'));
  const isHandled =
    (valueOf('data_format') ?? 'NHWC') === 'NHWC' &&
    kernelShape?.[0] === 3 &&
    kernelShape[1] === 3 &&
    imageShape !== undefined &&
    after !== undefined &&
    isOnes(valueOf('strides')) &&
    isOnes(valueOf('dilations')) &&
    (activations.dtype === dataType.float32 || activations.dtype === dataType.bfloat16);
  if (!isHandled) return undefined;
  const [images, height, width] = Array.from(imageShape);
  const output = gradient?.shape ?? [images, height - 1 + after[0], width - 1 + after[1]];
  const conv: ConvShape = {
    precision: activations.dtype === dataType.float32 ? 'fp32' : 'bf16',
    images,
    height,
    width,
    inputChannels: kernelShape[2],
    outputChannels: kernelShape[3],
    outputHeight: output[1],
    outputWidth: output[2],
  };
  const algorithm = algorithms.choose(pass, conv);
  if (algorithm === 'direct') return undefined;
  const other =
    pass === 'kernel-gradient' && gradient !== undefined
      ? gradient
      : graph.cast(wide(graph, read[1]), dataType.float32);
  return algorithms.add(graph, pass, algorithm, conv, activations, other);
}

/**
 * A gradient without its last row and column if these are padding zeros, as in the gradient of a trimmed convolution.
 */
function withoutZeros(graph: TensorGraph, gradient: Value): Value {
  const { op, inputs } = graph.entries[beforeCast(graph, gradient).ref[0]];
  if (op !== 'PadV2') return gradient;
  const [padded, paddings, constant] = inputs;
  // Zeros before and after, along images, rows, columns and channels.
  const zeros = Array.from(constantOf(graph, paddings) ?? []);
  const isTrimmed =
    zeros.length === 8 &&
    zeros.every((count, place) => count === 0 || (count === 1 && (place === 3 || place === 5))) &&
    constantOf(graph, beforeCast(graph, constant))?.[0] === 0;
  return isTrimmed ? graph.cast(padded, gradient.dtype) : gradient;
}

/**
 * The rows and columns of zeros after the image, 0 or 1, if one of each precedes it; -1 of each if there are none at all.
 * The output has height - 1 + rows rows and width - 1 + columns columns. Undefined for other paddings.
 */
function zerosAfter(
  padding: unknown,
  explicit: unknown,
): readonly [rows: number, columns: number] | undefined {
  if (padding === 'SAME') return [1, 1];
  if (padding === 'VALID') return [-1, -1];
  if (padding !== 'EXPLICIT' || !Array.isArray(explicit)) return undefined;
  const [, , above, below, left, right] = explicit as readonly number[];
  const isOne = above === 1 && left === 1 && [below, right].every((zeros) => zeros <= 1);
  return isOne ? [below, right] : undefined;
}

/** A value before it was cast, if it was. */
function beforeCast(graph: TensorGraph, value: Value): Value {
  const { op, inputs } = graph.entries[value.ref[0]];
  return op === 'Cast' ? inputs[0] : value;
}

/** A kernel in full precision. */
function wide(graph: TensorGraph, value: Value): Value {
  const before = beforeCast(graph, value);
  return before.dtype === dataType.float32 ? before : value;
}

/** The data of a constant; undefined for other values. */
function constantOf(graph: TensorGraph, { ref }: Value): ArrayLike<number> | undefined {
  const given = graph.entries[ref[0]].attributes.find(({ name }) => name === 'value')?.value;
  const isTensorValue = typeof given === 'object' && given !== null && 'data' in given;
  if (!isTensorValue) return undefined;
  const { data } = given;
  return data instanceof Int32Array || data instanceof Float32Array ? data : undefined;
}
