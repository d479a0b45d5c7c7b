import { addScaled, dot, norm, scaled } from './vector';

/**
 * An orthonormal basis of the span of some vectors, each `[n]`, by the Gram-Schmidt method in two passes (the Q of a QR
 * decomposition). Vector i of the result lies in the span of the first i + 1; all are new.
 *
 * The result has as many vectors as the input, so that groups keep their places. A vector that depends on those before it
 * (at most 1e-5 of its length is left) becomes a vector of zeros.
 */
export function orthonormalBasis(vectors: readonly Float32Array[]): Float32Array[] {
  const basis: Float32Array[] = [];
  for (const vector of vectors) {
    const rest = projectOut(basis, vector);
    const length = norm(rest);
    const isNew = length > 1e-5 * norm(vector);
    basis.push(isNew ? scaled(rest, 1 / length) : new Float32Array(vector.length));
  }
  return basis;
}

/** A vector, `[n]`, minus its components along an orthonormal basis: a new vector, orthogonal to the basis. */
export function projectOut(basis: readonly Float32Array[], vector: Float32Array): Float32Array {
  const rest = vector.slice();
  // The second pass removes the rounding errors of the first.
  for (let pass = 0; pass < 2; pass++) {
    for (const direction of basis) addScaled(rest, -dot(direction, rest), direction);
  }
  return rest;
}

/**
 * How much of a unit vector, `[n]`, lies in the span of an orthonormal basis: the squared norm of its projection, 0 to 1.
 *
 * Shares of groups of a joint basis add up: `overlap(basis.slice(0, 10), v) + overlap(basis.slice(10), v)`.
 */
export function overlap(basis: readonly Float32Array[], vector: Float32Array): number {
  return basis.reduce((sum, direction) => sum + dot(direction, vector) ** 2, 0);
}

/**
 * How much of each unit vector, `[n]`, lies in the span of each group of vectors: shares from 0 to 1, whose sum is the part
 * in the span of all groups. What two groups have in common counts for the earlier one.
 */
export function shares<G extends string>(
  groups: Readonly<Record<G, readonly Float32Array[]>>,
  vectors: readonly Float32Array[],
): Record<G, number>[] {
  const named = Object.entries(groups) as [G, readonly Float32Array[]][];
  const basis = orthonormalBasis(named.flatMap(([, group]) => group));
  let from = 0;
  const parts = named.map(([name, { length }]) => {
    const part = [name, basis.slice(from, from + length)] as const;
    from += length;
    return part;
  });
  return vectors.map(
    (vector) =>
      Object.fromEntries(parts.map(([name, part]) => [name, overlap(part, vector)])) as Record<
        G,
        number
      >,
  );
}
