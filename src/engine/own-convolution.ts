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
 * Adds a convolution by the algorithm that was measured to be the fastest, unless that is TensorFlow's own, or the
 * convolution is not of a 3x3 kernel with stride 1 and padding 1, or trimmed.
 *
 * @param cast what TensorFlow's operation would read; `read` what it was given, where kernels have all of their bits
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
  const activations = cast.inputs[pass === 'input-gradient' ? 2 : 0];
  const gradient = cast.inputs[2];
  const kernelShape =
    pass === 'kernel-gradient' ? constantOf(graph, cast.inputs[1]) : read[1].shape;
  const imageShape =
    pass === 'input-gradient' ? constantOf(graph, cast.inputs[0]) : activations.shape;
  const after = zerosAfter(valueOf('padding'), valueOf('explicit_paddings'));
  const isHandled =
    kernelShape?.[0] === 3 &&
    kernelShape[1] === 3 &&
    imageShape !== undefined &&
    after !== undefined &&
    isOnes(valueOf('strides')) &&
    isOnes(valueOf('dilations')) &&
    (activations.dtype === dataType.float32 || activations.dtype === dataType.bfloat16);
  if (!isHandled) return undefined;
  const [images, height, width] = Array.from(imageShape);
  const conv: ConvShape = {
    precision: activations.dtype === dataType.float32 ? 'fp32' : 'bf16',
    images,
    height,
    width,
    inputChannels: kernelShape[2],
    outputChannels: kernelShape[3],
    outputHeight: height - 1 + after[0],
    outputWidth: width - 1 + after[1],
  };
  const algorithm = algorithms.choose(pass, conv);
  if (algorithm === 'direct') return undefined;
  const other =
    pass === 'kernel-gradient' ? gradient : graph.cast(wide(graph, read[1]), dataType.float32);
  return algorithms.add(graph, pass, algorithm, conv, activations, other);
}

/** How many rows and columns of zeros follow the image, 0 or 1, where one of each precedes it; else nothing. */
function zerosAfter(
  padding: unknown,
  explicit: unknown,
): readonly [rows: number, columns: number] | undefined {
  if (padding === 'SAME') return [1, 1];
  if (padding !== 'EXPLICIT' || !Array.isArray(explicit)) return undefined;
  const [, , above, below, left, right] = explicit as readonly number[];
  const isOne = above === 1 && left === 1 && [below, right].every((zeros) => zeros <= 1);
  return isOne ? [below, right] : undefined;
}

/** What a value was before it was cast. */
function wide(graph: TensorGraph, value: Value): Value {
  const { op, inputs } = graph.entries[value.ref[0]];
  return op === 'Cast' && inputs[0].dtype === dataType.float32 ? inputs[0] : value;
}

/** The whole numbers of a constant. */
function constantOf(graph: TensorGraph, { ref }: Value): ArrayLike<number> | undefined {
  const given = graph.entries[ref[0]].attributes.find(({ name }) => name === 'value')?.value;
  const isTensorValue = typeof given === 'object' && given !== null && 'data' in given;
  return isTensorValue && given.data instanceof Int32Array ? given.data : undefined;
}
