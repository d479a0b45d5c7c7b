import { OptimError } from '../base/errors';

/** The coefficients of Jordan (2024): any number of iterations keeps singular values below 1.21. */
const bounded = '3.4445, -4.775, 2.0315';
/** Updates should have singular values near 1; with the published settings none exceeds 1.37. */
const limit = 2;

/** The largest value to which iterations map a singular value from 0 to 1. */
function largestAfter(iterations: number, [a, b, c]: readonly [number, number, number]): number {
  const values = Array.from({ length: 1000 }, (_, i) => (i + 1) / 1000);
  for (let done = 0; done < iterations; done++) {
    for (const [i, s] of values.entries()) values[i] = a * s + b * s ** 3 + c * s ** 5;
  }
  // Not a number if a coefficient is not, and infinite if an iteration overflows.
  return Math.max(...values.map((value) => (Number.isNaN(value) ? Infinity : Math.abs(value))));
}

/**
 * Refuses settings of Newton-Schulz with which singular values grow beyond 2. Coefficients chosen for a few iterations may
 * diverge with more: those of hiverge map 0.56 to 1.36 in three iterations, to 2.5 in four and to 132 in five.
 *
 * @throws OptimError if they grow, or if `iterations` is not a whole number from 0; says how many iterations are possible
 */
export function checkNewtonSchulz(
  iterations: number,
  coefficients: readonly [a: number, b: number, c: number],
): void {
  if (!Number.isInteger(iterations) || iterations < 0) {
    throw new OptimError(
      `muon: ${iterations} iterations of Newton-Schulz; it must be a whole number from 0.`,
    );
  }
  const largest = largestAfter(iterations, coefficients);
  if (largest <= limit) return;
  let possible = 0;
  while (largestAfter(possible + 1, coefficients) <= limit) possible++;
  const fewer = possible === 0 ? 'Use' : `Use at most ${possible}, or`;
  throw new OptimError(
    `muon: ${iterations} iterations of Newton-Schulz with the coefficients ${coefficients.join(', ')} enlarge singular ` +
      `values up to ${largest.toPrecision(3)}; they should be near 1. ${fewer} the coefficients ${bounded}.`,
  );
}
