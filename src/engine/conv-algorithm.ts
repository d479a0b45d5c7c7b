import type { TensorGraph, Value } from './graph';

/** The three convolutions of a layer in training: of activations, and the gradients by its input and by its kernel. */
export type ConvPass = 'forward' | 'input-gradient' | 'kernel-gradient';

/**
 * How a convolution is computed: `direct` by TensorFlow, the others by operations of our own (`native/conv.h`).
 *
 * - `winograd-4` and `winograd-6`: Winograd's minimal filtering in fp32 for output tiles of 4x4 and 6x6, which takes 4 and 5
 *   times fewer products; what these leave over is computed in smaller tiles.
 * - `winograd-2`: the same in bf16 for tiles of 2x2, which takes 2.25 times fewer; `winograd-2-amx`: its products in AMX
 *   tiles.
 * - `outer-product`: the kernel's gradient in bf16 as outer products of pixels.
 *
 * @see Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308 (2015)
 */
export type Algorithm =
  'direct' | 'outer-product' | 'winograd-2' | 'winograd-2-amx' | 'winograd-4' | 'winograd-6';

/** What one algorithm was measured to do. */
export interface Candidate {
  readonly algorithm: Algorithm;
  /**
   * Milliseconds for the same images, the least of five, taken in turn: what else runs on a machine only adds. Of two, if
   * these were far from the fastest.
   */
  readonly ms: number;
  /** Root mean square of its difference from `direct`, relative to that of the result. */
  readonly difference: number;
}

/** What was measured for one pass and shape, and what follows from it. */
export interface AlgorithmRow {
  readonly pass: ConvPass;
  /** Images measured, and what they are, as in `bf16 64x32x32 64->128`. */
  readonly shape: string;
  readonly candidates: readonly Candidate[];
  readonly chosen: Algorithm;
}

/**
 * A 3x3 convolution of stride 1: with a row and a column of zeros before the image, or without zeros, where there are two
 * rows and columns of outputs less than of pixels.
 */
export interface ConvShape {
  readonly precision: 'fp32' | 'bf16';
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Default: the height. One less where the last row of outputs is left out, two less without padding. */
  readonly outputHeight?: number;
  /** Default: the width. One less where the last column of outputs is left out, two less without padding. */
  readonly outputWidth?: number;
}

/** Height and width of a convolution's outputs. */
export function outputExtents(conv: ConvShape): readonly [height: number, width: number] {
  return [conv.outputHeight ?? conv.height, conv.outputWidth ?? conv.width];
}

/** Chooses algorithms, measuring each pass and shape at most once. */
export interface Algorithms {
  /** What has been asked for so far, in that order: the part of a run's record that a resumed run has to be given. */
  readonly rows: readonly AlgorithmRow[];
  /** Whether operations of our own may be used at all: not where a compiler is to see all of a step, nor on a GPU. */
  readonly hasOwn: boolean;
  choose(pass: ConvPass, conv: ConvShape): Algorithm;
  /**
   * Adds a convolution to a graph. Activations are in the number format of the shape, kernels in float32.
   *
   * @param conv the shape of the whole batch
   * @param a x `[N,H,W,Ci]` or, for the gradient by the input, dy `[N,OH,OW,Co]`
   * @param b the kernel `[3,3,Ci,Co]` or, for the gradient by the kernel, dy
   */
  add(
    graph: TensorGraph,
    pass: ConvPass,
    algorithm: Algorithm,
    conv: ConvShape,
    a: Value,
    b: Value,
  ): Value;
}
