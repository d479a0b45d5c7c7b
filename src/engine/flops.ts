import { sizeOf } from '../base/host-tensor';
import type { GraphEntry } from './graph';
import type { Recording } from './step';

/**
 * Floating point operations of one call of a captured step, in convolutions and matrix products: see {@link flopsOf}. A
 * loop counts all of its runs.
 */
export function countFlops({ nodes, runs }: Recording): number {
  return runs * nodes.reduce((sum, node) => sum + flopsOf(node), 0);
}

/**
 * Floating point operations of a convolution, a gradient of one, or a matrix product; 0 for every other operation.
 *
 * Counts two operations, a multiplication and an addition, for each product of the direct algorithm: of each computed
 * output with each tap of the kernel that lies on the image. Taps on the zeros of the padding do not count, nor do outputs
 * that are not computed, such as those that a trimmed convolution skips. An algorithm that needs fewer products, such as
 * Winograd's, counts like the direct one. Elementwise work, norms, pooling and casts do not count.
 *
 * Our own operations count like TensorFlow's.
 */
export function flopsOf(node: GraphEntry): number {
  const { op, inputs, outputs } = node;
  const [a, b, c] = inputs;
  switch (op) {
    case 'Conv2D':
    case 'Conv3D':
    case 'Cifar10FastConv3x3':
      return convFlops(node, a.shape, b.shape, outputs[0].shape);
    case 'Conv2DBackpropInput':
    case 'Conv3DBackpropInputV2':
      return convFlops(node, outputs[0].shape, b.shape, c.shape);
    case 'Conv2DBackpropFilter':
    case 'Conv3DBackpropFilterV2':
      return convFlops(node, a.shape, outputs[0].shape, c.shape);
    case 'Cifar10FastConv3x3BackpropInput':
      return convFlops(node, outputs[0].shape, b.shape, a.shape);
    case 'Cifar10FastConv3x3BackpropFilter':
      return convFlops(node, a.shape, outputs[0].shape, b.shape);
    case 'DepthwiseConv2dNative':
      return convFlops(node, a.shape, depthwise(b.shape), outputs[0].shape);
    case 'DepthwiseConv2dNativeBackpropInput':
      return convFlops(node, outputs[0].shape, depthwise(b.shape), c.shape);
    case 'DepthwiseConv2dNativeBackpropFilter':
      return convFlops(node, a.shape, depthwise(outputs[0].shape), c.shape);
    case 'MatMul':
      return (
        2 * sizeOf(outputs[0].shape) * a.shape[attribute(node, 'transpose_a') === true ? 0 : 1]
      );
    case 'BatchMatMul':
    case 'BatchMatMulV2':
      return (
        2 *
        sizeOf(outputs[0].shape) *
        (a.shape.at(attribute(node, 'adj_x') === true ? -2 : -1) ?? 0)
      );
    case 'Einsum':
      return einsumFlops(node);
    default:
      return 0;
  }
}

function attribute({ attributes }: GraphEntry, name: string): unknown {
  return attributes.find((given) => given.name === name)?.value;
}

/** Whether an operation's images have their channels before height and width, as `[N,C,H,W]`. */
function isChannelsFirst({ attributes }: GraphEntry): boolean {
  const format = attributes.find(({ name }) => name === 'data_format')?.value;
  return typeof format === 'string' && format.startsWith('NC');
}

/**
 * For images `[N,…,Ci]`, a kernel `[…,Ci,Co]` and outputs `[N,…,Co]`, with as many spatial axes as the kernel has; or for
 * images and outputs with channels first.
 */
function convFlops(
  node: GraphEntry,
  image: readonly number[],
  kernel: readonly number[],
  output: readonly number[],
): number {
  const axes = kernel.length - 2;
  const pairs = Array.from({ length: axes }, (_, index) => {
    const axis = isChannelsFirst(node) ? index + 2 : index + 1;
    return tapsOnImage({
      extent: image[axis],
      outputs: output[axis],
      taps: kernel[index],
      stride: extentOf(attribute(node, 'strides'), axis),
      dilation: extentOf(attribute(node, 'dilations'), axis),
      before: zerosBefore(node, axis, image[axis] - output[axis]),
    });
  });
  const [inputChannels, outputChannels] = kernel.slice(-2);
  return 2 * image[0] * sizeOf(pairs) * inputChannels * outputChannels;
}

/** The shape of an ordinary kernel of the same cost as a depthwise one `[kh,kw,cin,multiplier]`: an output reads one channel. */
function depthwise([kh, kw, cin, multiplier]: readonly number[]): number[] {
  return [kh, kw, 1, cin * multiplier];
}

/** The number of pairs of an output and a tap that read a pixel, along one axis. */
function tapsOnImage(along: {
  readonly extent: number;
  readonly outputs: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** Zeros before the image; `same` for as many as TensorFlow's "SAME" padding adds. */
  readonly before: number | 'same';
}): number {
  const { extent, outputs, taps, stride, dilation } = along;
  const needed = (outputs - 1) * stride + (taps - 1) * dilation + 1;
  const before = along.before === 'same' ? Math.max(0, needed - extent) >> 1 : along.before;
  let pairs = 0;
  for (let output = 0; output < outputs; output++) {
    for (let tap = 0; tap < taps; tap++) {
      const pixel = output * stride + tap * dilation - before;
      if (pixel >= 0 && pixel < extent) pairs += 1;
    }
  }
  return pairs;
}

/** @param fewer number of pixels minus number of outputs, along the axis */
function zerosBefore(node: GraphEntry, axis: number, fewer: number): number | 'same' {
  // Our own operations pad by one row and one column, or not at all.
  if (node.op.startsWith('Cifar10FastConv3x3')) return fewer === 2 ? 0 : 1;
  switch (attribute(node, 'padding')) {
    case 'SAME':
      return 'same';
    case 'EXPLICIT':
      return (attribute(node, 'explicit_paddings') as readonly number[])[2 * axis];
    default:
      return 0;
  }
}

/** The stride or dilation along an axis. Default: 1. */
function extentOf(value: unknown, axis: number): number {
  return Array.isArray(value) ? Number(value[axis]) : 1;
}

/** For an equation such as `bij,bjk->bik`: a sum of products over every letter. */
function einsumFlops(node: GraphEntry): number {
  const [sources] = String(attribute(node, 'equation')).split('->');
  const terms = sources.replaceAll(' ', '').split(',');
  // A single term is transposed or summed, not multiplied.
  if (terms.length < 2) return 0;
  const extents = new Map<string, number>();
  for (const [index, term] of terms.entries()) {
    for (const [place, letter] of term.split('').entries()) {
      extents.set(letter, node.inputs[index].shape[place]);
    }
  }
  return 2 * (terms.length - 1) * sizeOf([...extents.values()]);
}
