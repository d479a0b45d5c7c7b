import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { createRng } from '../base/rng';
import type { Rng } from '../base/rng';
import { projectOut } from './overlap';
import { addScaled, dot, norm, randomDirection, scaled } from './vector';

/** A symmetric matrix as a function: multiplies a vector and returns the product as a new vector. */
export type Product = (vector: Float32Array) => Float32Array | Promise<Float32Array>;

/** What {@link lanczos} found. */
export interface Eigenpairs {
  /** `[count]`: the eigenvalues of largest magnitude, in descending order of value. */
  readonly values: Float64Array;
  /** Orthonormal, each `[size]` of the matrix, in the order of the values. */
  readonly vectors: readonly Float32Array[];
  /** `[count]`: |A v - value v| of each, as estimated by the method. */
  readonly residuals: Float64Array;
  /** How often the matrix was multiplied. */
  readonly products: number;
  /** Whether every residual is within the tolerance. */
  readonly isConverged: boolean;
}

/** The float32 rounding error of a difference that should be zero, relative to the vectors subtracted. */
const rounding = 5e-7;

/** Options of {@link lanczos}. */
export interface LanczosOptions {
  /** How many eigenpairs. */
  readonly count: number;
  /** Bound of each residual, relative to its eigenvalue; at least the rounding error of the largest one. Default: 1e-4. */
  readonly tolerance?: number;
  /** Vectors held at a time. Default: 2 count + 1, at least 20. */
  readonly basisSize?: number;
  /** The maximum number of products. Default: 1,000. */
  readonly maxProducts?: number;
  /** Draws the starting vectors. */
  readonly rng?: Rng;
  /**
   * Restricts the matrix to the orthogonal complement of these vectors, which must be orthonormal: P A P, where P projects
   * them out.
   */
  readonly complementOf?: readonly Float32Array[];
  /** Called after each product. */
  readonly onProduct?: (products: number) => void;
}

/**
 * The `count` eigenpairs of largest magnitude of a symmetric matrix that is given by its products with vectors.
 *
 * The Lanczos method with full reorthogonalisation and thick restarts, which is equivalent to implicit restarts: the matrix
 * is projected onto a growing basis, the projection's eigenpairs approximate the matrix's, and when the basis is full the
 * best of them start the next one. Stops as soon as all residuals are within the tolerance. Vectors are float32, inner
 * products and the small problem float64, so eigenvalues are accurate to about 1e-7 of the largest. Holds `basisSize`
 * vectors and three more.
 *
 * An eigenvalue of multiplicity m is found m times only if rounding or a closed basis brings in its other eigenvectors. The
 * eigenvalues of loss functions are simple.
 *
 * @param size of the matrix
 * @throws RangeError unless 1 <= count < basisSize and count is at most the number of dimensions that the matrix acts on
 * @see Wu and Simon, Thick-Restart Lanczos Method for Large Symmetric Eigenvalue Problems, SIAM J. Matrix Anal. Appl. 22
 *   (2000)
 */
export async function lanczos(
  product: Product,
  size: number,
  {
    count,
    tolerance = 1e-4,
    basisSize = Math.max(2 * count + 1, 20),
    maxProducts = 1000,
    rng = createRng(0, 'lanczos'),
    complementOf = [],
    onProduct,
  }: LanczosOptions,
): Promise<Eigenpairs> {
  const dimension = size - complementOf.filter((vector) => norm(vector) > 0).length;
  checkCounts(count, dimension, basisSize);
  const most = Math.min(basisSize, dimension);
  const basis: Float32Array[] = [];
  /** A random unit vector that is orthogonal to the basis and to `complementOf`. */
  const freshVector = (): Float32Array => {
    for (;;) {
      const drawn = projectOut([...complementOf, ...basis], randomDirection(size, rng));
      const length = norm(drawn);
      if (length > 1e-3 / Math.sqrt(size)) return scaled(drawn, 1 / length);
    }
  };

  const projected = Matrix.zeros(most, most);
  let next = freshVector();
  let isFresh = true;
  for (let products = 1; ; products++) {
    const newest = basis.push(next) - 1;
    const used = basis.length;
    const image = projectOut(complementOf, await product(next));
    onProduct?.(products);
    const before = norm(image);
    const diagonal = orthogonalise(image, basis);
    projected.set(newest, newest, diagonal);
    // If only rounding errors are left, the basis spans an invariant subspace.
    const length = norm(image);
    const isClosed = length <= rounding * before || used === dimension;
    const coupling = isClosed ? 0 : length;

    const found = sortedByMagnitude(projected.subMatrix(0, newest, 0, newest));
    const residual = (i: number): number =>
      coupling * Math.abs(found.vectors.get(newest, found.order[i]));
    const magnitude = (i: number): number => Math.abs(found.values[found.order[i]]);
    const floor = rounding * magnitude(0);
    if (used >= count) {
      const wanted = Array.from({ length: count }, (_, i) => i);
      // Outside a closed basis there can be further eigenpairs. But if a random vector is itself an eigenvector, only its
      // own eigenvalue is left.
      const isAll =
        !isClosed ||
        used === dimension ||
        (isFresh && Math.abs(diagonal) <= magnitude(count - 1) + floor);
      const isConverged =
        isAll && wanted.every((i) => residual(i) <= Math.max(tolerance * magnitude(i), floor));
      if (isConverged || products >= maxProducts) {
        return { ...descending(basis, found, wanted, residual), products, isConverged };
      }
    }

    if (used === most) {
      // Keeps more pairs than wanted: how fast the wanted ones converge depends on their neighbours.
      restart(basis, projected, found, {
        kept: Math.min(most - 1, count + Math.floor((most - count) / 2)),
        coupling,
      });
    } else {
      projected.set(newest, used, coupling);
      projected.set(used, newest, coupling);
    }
    next = isClosed ? freshVector() : scaled(image, 1 / coupling);
    isFresh = isClosed;
  }
}

/** The wanted pairs, given by rank in magnitude, in descending order of value; the basis becomes their vectors. */
function descending(
  basis: Float32Array[],
  { values, vectors, order }: SortedEigenpairs,
  wanted: readonly number[],
  residual: (place: number) => number,
): Pick<Eigenpairs, 'values' | 'vectors' | 'residuals'> {
  const places = wanted.toSorted((a, b) => values[order[b]] - values[order[a]]);
  const columns = places.map((place) => order[place]);
  rotate(basis, vectors, columns);
  return {
    values: Float64Array.from(columns, (column) => values[column]),
    vectors: basis,
    residuals: Float64Array.from(places, residual),
  };
}

function checkCounts(count: number, dimension: number, basisSize: number): void {
  if (count >= 1 && count <= dimension && count < basisSize) return;
  throw new RangeError(
    `lanczos: cannot compute ${count} eigenpairs of a matrix on ${dimension} dimensions with a basis of ${basisSize}. ` +
      `Give a count from 1 to ${dimension} and a larger basis.`,
  );
}

/** Removes the components along the basis from an image, in place; returns the one along the newest vector. */
function orthogonalise(image: Float32Array, basis: readonly Float32Array[]): number {
  let diagonal = 0;
  // Two passes: the first leaves rounding errors along the basis in proportion to the whole image.
  for (let pass = 0; pass < 2; pass++) {
    for (const [i, vector] of basis.entries()) {
      const along = dot(vector, image);
      addScaled(image, -along, vector);
      if (i === basis.length - 1) diagonal += along;
    }
  }
  return diagonal;
}

/** Keeps the best `kept` combinations of a full basis, and the matrix projected onto them. */
function restart(
  basis: Float32Array[],
  projected: Matrix,
  found: SortedEigenpairs,
  { kept, coupling }: { readonly kept: number; readonly coupling: number },
): void {
  const columns = found.order.slice(0, kept);
  const last = found.vectors.getRow(basis.length - 1);
  rotate(basis, found.vectors, columns);
  projected.mul(0);
  for (const [i, column] of columns.entries()) {
    projected.set(i, i, found.values[column]);
    projected.set(i, kept, coupling * last[column]);
    projected.set(kept, i, coupling * last[column]);
  }
}

interface SortedEigenpairs {
  readonly values: readonly number[];
  /** One per column. */
  readonly vectors: Matrix;
  /** Columns, the eigenvalue of largest magnitude first. */
  readonly order: number[];
}

function sortedByMagnitude(matrix: Matrix): SortedEigenpairs {
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const values = decomposition.realEigenvalues;
  const order = values.map((_, column) => column);
  order.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]));
  return { values, vectors: decomposition.eigenvectorMatrix, order };
}

/** Replaces the basis by the combinations in the given columns, in place and row by row. */
function rotate(basis: Float32Array[], combinations: Matrix, columns: readonly number[]): void {
  const used = basis.length;
  const weights = columns.map((column) => combinations.getColumn(column));
  const old = new Float64Array(used);
  for (let row = 0; row < basis[0].length; row++) {
    for (let i = 0; i < used; i++) old[i] = basis[i][row];
    for (const [i, weight] of weights.entries()) {
      let sum = 0;
      for (let j = 0; j < used; j++) sum += weight[j] * old[j];
      basis[i][row] = sum;
    }
  }
  basis.length = columns.length;
}
