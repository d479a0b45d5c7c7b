import type * as tf from '@tensorflow/tfjs-core';
import { eye, matMul, mul, norm, where } from '@tensorflow/tfjs-core';
import { OptimError } from '../base/errors';
import { checkNewtonSchulz } from './newton-schulz-range';
import type { Hyper, Moved } from './rule';

/** Options of {@link muon}. */
export interface MuonOptions {
  /** Newton-Schulz iterations per update. */
  readonly iterations: number;
  /** a, b, c of one iteration, X <- a X + (b A + c A^2) X with A = X X^T. */
  readonly coefficients: readonly [a: number, b: number, c: number];
  /**
   * When a kernel is rescaled to norm sqrt(cout) before the update: in every step, or at growing intervals of
   * `first + floor(growth * progress)` steps.
   */
  readonly rescale: 'every-step' | { readonly first: number; readonly growth: number };
}

/**
 * An approximation of the nearest semi-orthogonal matrix: U V^T of the singular value decomposition U S V^T.
 *
 * The matrix is divided by its Frobenius norm, so that all singular values lie between 0 and 1; each iteration maps a
 * singular value s to a s + b s^3 + c s^5. The published coefficients do not make it converge to 1: they raise small singular
 * values fast and leave all but the smallest between about 0.7 and 1.4, which suffices for Muon. Products are computed in the
 * precision of the step.
 *
 * Successive iterations multiply X by a polynomial in X X^T. That is computed first, from matrices of the short side, so
 * that the long side takes part in two products for every three iterations, not in two for each: half of the
 * operations if the matrix is 9 times as long as wide, for the same result up to rounding.
 *
 * @param x `[rows,columns]` with rows >= columns; transpose a wide matrix
 * @returns `[rows,columns]`, a new tensor
 * @throws OptimError if the matrix is wide, or if singular values grow beyond 2
 * @see Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024); Bernstein and Newhouse, Old
 *   Optimizer, New Norm, arXiv:2409.20325 (2024)
 */
export function newtonSchulz(
  x: tf.Tensor2D,
  { iterations, coefficients: [a, b, c] }: Omit<MuonOptions, 'rescale'>,
): tf.Tensor2D {
  const [rows, columns] = x.shape;
  if (rows < columns) {
    throw new OptimError(
      `newtonSchulz: the matrix is [${rows},${columns}]; it must have at least as many rows as columns. Transpose it.`,
    );
  }
  checkNewtonSchulz(iterations, [a, b, c]);
  let y: tf.Tensor2D = x.div(norm(x).add(1e-7));
  for (let done = 0; done < iterations; done += accumulated) {
    const polynomial = polynomialOf(y, Math.min(accumulated, iterations - done), [a, b, c]);
    y = matMul(y, polynomial);
  }
  return y;
}

/**
 * Iterations whose factors are multiplied before the matrix is. The gram matrix is not recomputed from the matrix within
 * them, and each multiplies its rounding errors by up to a^2, about 12: in bf16 the fourth would be the first to diverge.
 */
const accumulated = 3;

/** The product `[columns,columns]` of the factors a + b A + c A^2 of successive iterations from y `[rows,columns]`. */
function polynomialOf(
  y: tf.Tensor2D,
  iterations: number,
  [a, b, c]: MuonOptions['coefficients'],
): tf.Tensor2D {
  // With the longer side first, X X^T of the formula is y^T y: [columns,columns].
  let gram: tf.Tensor2D = matMul(y, y, true, false);
  let product: tf.Tensor2D = eye(y.shape[1]);
  for (let i = 0; i < iterations; i++) {
    const rest: tf.Tensor2D = gram.mul(b).add(matMul(gram, gram).mul(c));
    const timesFactor = (m: tf.Tensor2D): tf.Tensor2D => m.mul(a).add(matMul(m, rest));
    product = i === 0 ? product.mul(a).add(rest) : timesFactor(product);
    // Symmetric like the factor, so multiplied by it from both sides.
    if (i < iterations - 1) gram = timesFactor(timesFactor(gram));
  }
  return product;
}

/**
 * Muon: momentum, and an update whose singular values are all near 1, so that no direction of a kernel learns faster
 * than another.
 *
 * v = mom v + g; d = orth(g + mom v); w = w sqrt(cout) / |w| in the steps given by {@link MuonOptions.rescale};
 * w = (w - lr d)(1 - lr wd). A kernel `[kh,kw,cin,cout]` is treated as a matrix `[kh kw cin, cout]`. The scale of the
 * gradient does not matter, so neither does the batch size: `lr` and `weightDecay` are used unchanged.
 *
 * @param hyper with `rescale` 1 in steps that rescale, else 0
 * @throws OptimError if a tensor has a rank below 2, or more output channels than inputs to each of them, or if the options let
 *   singular values grow beyond 2
 */
export function muon(
  weight: tf.Tensor,
  gradient: tf.Tensor,
  velocity: tf.Tensor,
  hyper: Hyper,
  options: MuonOptions,
): Moved {
  if (weight.rank < 2) {
    throw new OptimError(
      `muon: expected a kernel or a matrix, got rank ${weight.rank}. Put biases in a group with another rule.`,
    );
  }
  const channels = weight.shape[weight.rank - 1];
  const v = velocity.mul(hyper.momentum).add(gradient);
  const direction = gradient.add(v.mul(hyper.momentum)).reshape<tf.Tensor2D>([-1, channels]);
  const orthogonal = newtonSchulz(direction, options).reshape(weight.shape);
  const rescaled = weight.mul(mul(Math.sqrt(channels), norm(weight).add(1e-7).reciprocal()));
  const start =
    options.rescale === 'every-step' || hyper.rescale === undefined
      ? rescaled
      : where(hyper.rescale.greater(0), rescaled, weight);
  const kept = hyper.lr.mul(hyper.weightDecay).neg().add(1);
  return { weight: start.sub(orthogonal.mul(hyper.lr)).mul(kept), velocity: v };
}

/**
 * The steps in which {@link muon} rescales kernels, as 0 or 1 for each of `steps` steps.
 *
 * @throws OptimError if `first` is below 1 or `growth` below 0
 */
export function rescaleSteps(rescale: MuonOptions['rescale'], steps: number): Uint8Array {
  const due = new Uint8Array(steps);
  if (rescale === 'every-step') return due.fill(1);
  const { first, growth } = rescale;
  if (!(first >= 1) || !(growth >= 0)) {
    throw new OptimError(
      `muon: rescale has first ${first}, growth ${growth}; first must be at least 1 and growth at least 0.`,
    );
  }
  let last = 0;
  for (let step = 1; step <= steps; step++) {
    if (step - last < first + Math.floor((growth * step) / steps)) continue;
    due[step - 1] = 1;
    last = step;
  }
  return due;
}
