import type { TensorGraph, Value } from './graph';

/** The three convolutions of a layer in training: forward, and the gradients with respect to the input and the kernel. */
export type ConvPass = 'forward' | 'input-gradient' | 'kernel-gradient';

/**
 * How a convolution is computed: `direct` by TensorFlow, the others by our own operations (`native/conv.h`).
 *
 * - `winograd-4`, `winograd-6` and `winograd-7`: Winograd's minimal filtering in fp32 for output tiles of 4x4, 6x6 and 7x7,
 *   with 4, 5 and 5.4 times fewer products; the remaining outputs are computed in smaller tiles.
 * - `winograd-2`: the same in bf16 for tiles of 2x2, with 2.25 times fewer; `winograd-2-amx` computes its products in AMX
 *   tiles.
 * - `outer-product`: the kernel gradient in bf16 as outer products of pixels.
 *
 * @see Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308 (2015)
 */
export type Algorithm =
  | 'direct'
  | 'outer-product'
  | 'winograd-2'
  | 'winograd-2-amx'
  | 'winograd-4'
  | 'winograd-6'
  | 'winograd-7';

/** The measurement of one algorithm. */
export interface Candidate {
  readonly algorithm: Algorithm;
  /**
   * Milliseconds for the same images: the minimum of five runs, interleaved with those of the others, as other load on the
   * machine only adds time. The minimum of two if these were far from the fastest.
   */
  readonly ms: number;
  /** Root mean square of the difference from `direct`, relative to that of `direct`. */
  readonly difference: number;
}

/** The measurements for one pass and shape, and the algorithm chosen from them. */
export interface AlgorithmRow {
  readonly pass: ConvPass;
  /** Precision, number of images measured, extents and channels, for example `bf16 64x32x32 64->128`. */
  readonly shape: string;
  readonly candidates: readonly Candidate[];
  readonly chosen: Algorithm;
}

/**
 * A 3x3 convolution with stride 1. Either a row and a column of zeros precede the image, or there is no padding: the output
 * then has two rows and two columns fewer than the image.
 */
export interface ConvShape {
  readonly precision: 'fp32' | 'bf16';
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly inputChannels: number;
  readonly outputChannels: number;
  /** Default: the height. One less if the last row of outputs is trimmed, two less without padding. */
  readonly outputHeight?: number;
  /** Default: the width. One less if the last column of outputs is trimmed, two less without padding. */
  readonly outputWidth?: number;
}

/** Height and width of a convolution's outputs. */
export function outputExtents(conv: ConvShape): readonly [height: number, width: number] {
  return [conv.outputHeight ?? conv.height, conv.outputWidth ?? conv.width];
}

/** Chooses algorithms, measuring each pass and shape at most once. */
export interface Algorithms {
  /** The rows used so far, in order of first use. They are stored with a run, and a resumed run must be given them. */
  readonly rows: readonly AlgorithmRow[];
  /** Whether our own operations may be used at all: not if XLA compiles the whole step, and not on a GPU. */
  readonly hasOwn: boolean;
  choose(pass: ConvPass, conv: ConvShape): Algorithm;
  /**
   * Adds a convolution to a graph. Activations have the precision of `conv`, kernels are float32.
   *
   * @param conv the shape of the whole batch
   * @param a x `[N,H,W,Ci]` or, for the input gradient, dy `[N,OH,OW,Co]`
   * @param b the kernel `[3,3,Ci,Co]` or, for the kernel gradient, dy
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
