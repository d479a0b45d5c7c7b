import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { createRng } from '../base/rng';
import type { Rng } from '../base/rng';
import { projectOut } from './overlap';
import { addScaled, dot, norm, randomDirection, scaled } from './vector';

/** A symmetric matrix by what it does: a vector to its product with it, a new vector. */
export type Product = (vector: Float32Array) => Float32Array | Promise<Float32Array>;

/** What {@link lanczos} found. */
export interface Eigenpairs {
  /** `[count]`, descending by value, though those of largest magnitude are found. */
  readonly values: Float64Array;
  /** Each `[size]` of the matrix, of length 1 and orthogonal to each other, in the order of the values. */
  readonly vectors: readonly Float32Array[];
  /** `[count]`: |A v - value v| of each, as the method itself estimates it. */
  readonly residuals: Float64Array;
  /** How often the matrix was applied. */
  readonly products: number;
  /** Whether every residual came within the tolerance. */
  readonly isConverged: boolean;
}

/** What float32 leaves of a difference that should be zero, relative to the vectors that it is between. */
const rounding = 5e-7;

/** How {@link lanczos} searches. */
export interface LanczosOptions {
  /** How many eigenpairs. */
  readonly count: number;
  /** Bound of each residual, relative to its eigenvalue; never less than float32 resolves beside the largest one. */
  readonly tolerance?: number;
  /** Vectors that are held at a time; 2 count + 1, and at least 20, where not given. */
  readonly basisSize?: number;
  /** Give up after so many products; 1,000 where not given. */
  readonly maxProducts?: number;
  /** Draws the vector to start with. */
  readonly rng?: Rng;
  /**
   * Look only at the matrix on the orthogonal complement of these vectors, which must be orthonormal: P A P, P removing
   * what lies along them.
   */
  readonly complementOf?: readonly Float32Array[];
  /** Told after each product. */
  readonly onProduct?: (products: number) => void;
}

/**
 * The `count` eigenpairs of largest magnitude of a symmetric matrix that is given by its products with vectors.
 *
 * Lanczos's method with full reorthogonalisation and thick restarts, which finds what an implicitly restarted one finds:
 * the matrix is projected on a growing basis, the projection's eigenpairs approximate the matrix's, and when the basis is
 * full the best of them start the next one. Stops as soon as all residuals are within the tolerance. Vectors are float32,
 * inner products and the small problem float64, so eigenvalues are good to about 1e-7 of the largest. Holds `basisSize`
 * vectors and three more.
 *
 * An eigenvalue of multiplicity m is found m times only if rounding, or a basis that closes, brings its other vectors in;
 * those of loss functions are simple.
 *
 * @param size of the matrix
 * @throws RangeError if the counts do not fit: 1 <= count < basisSize, count no larger than what the matrix acts on
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
  /** A unit vector that is orthogonal to the basis and to what is left out. */
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
    // Where nothing but rounding is left, the basis spans all that its vectors reach.
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
      // Beyond a closed basis there may be more; but a random vector that is an eigenvector by itself shows that there
      // is one eigenvalue only, its own.
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
      // More is kept than is wanted: the values next to the wanted ones are what those converge against.
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

/** The wanted pairs, places in the order of magnitude, by falling value; the basis becomes their vectors. */
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
    `lanczos: ${count} eigenpairs of a matrix that acts on ${dimension} dimensions, with a basis of ${basisSize}. ` +
      'Ask for at least one, no more than there are dimensions, and give a basis larger than that.',
  );
}

/** Takes out of an image, in place, what lies along the basis; returns what lay along its newest vector. */
function orthogonalise(image: Float32Array, basis: readonly Float32Array[]): number {
  let diagonal = 0;
  // Two passes: what rounding leaves of the first is as long, along the basis, as the whole image is exact.
  for (let pass = 0; pass < 2; pass++) {
    for (const [i, vector] of basis.entries()) {
      const along = dot(vector, image);
      addScaled(image, -along, vector);
      if (i === basis.length - 1) diagonal += along;
    }
  }
  return diagonal;
}

/** Keeps the best `kept` combinations of a full basis, and the matrix projected on them. */
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
  /** One a column. */
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

/** Replaces basis vectors by the combinations that the named columns hold, in place and row by row. */
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
