/** A tensor of a comparison; `data` in row-major order. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** The result of comparing two tensors: the element that is furthest off, relative to the largest expected one. */
export interface Comparison {
  /** |found - expected| of the worst element, divided by `scale`; Infinity if they differ and one is not finite. */
  readonly error: number;
  /** The largest finite |expected|, or 1 if that is zero. */
  readonly scale: number;
  /** Indices of the worst element along each axis. */
  readonly place: readonly number[];
  readonly found: number;
  readonly expected: number;
}

/**
 * The bar for float32 against float64: they agree to about 1e-5 of the largest element, rounding alone stays below 1e-4
 * through the depth of these networks, and a fault of 1 % anywhere exceeds it.
 */
export const defaultBar = 1e-4;

/**
 * Finds the element of `found` that is furthest from `expected`, relative to the tensor's largest element. NaN equals
 * only NaN, an infinity only itself.
 *
 * @throws Error if the shapes differ
 */
export function compare(found: Numbers, expected: Numbers): Comparison {
  const shape = expected.shape;
  if (found.shape.join() !== shape.join() || found.data.length !== expected.data.length) {
    throw new Error(
      `found [${found.shape.join()}], ${found.data.length} numbers; ` +
        `expected [${shape.join()}], ${expected.data.length} numbers.`,
    );
  }
  let scale = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const size = Math.abs(expected.data[i]);
    if (Number.isFinite(size) && size > scale) scale = size;
  }
  scale ||= 1;
  let worst = 0;
  let error = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const [x, y] = [found.data[i], expected.data[i]];
    if (Object.is(x, y) || x === y) continue;
    const off = Number.isFinite(x) && Number.isFinite(y) ? Math.abs(x - y) / scale : Infinity;
    if (off > error) [worst, error] = [i, off];
  }
  return {
    error,
    scale,
    place: placeOf(worst, shape),
    found: found.data[worst],
    expected: expected.data[worst],
  };
}

/**
 * Fails unless every element of `found` is within `bar` of `expected`, relative to the largest element of `expected`.
 * The message has the name, the shape, the worst element's index and both values. Returns the comparison.
 */
export function expectClose(
  name: string,
  found: Numbers,
  expected: Numbers,
  bar: number = defaultBar,
): Comparison {
  const result = compare(found, expected);
  if (!(result.error <= bar))
    throw new Error(describeComparison(name, expected.shape, result, bar));
  return result;
}

/** The message of a failed comparison. */
function describeComparison(
  name: string,
  shape: readonly number[],
  { error, scale, place, found, expected }: Comparison,
  bar: number,
): string {
  return (
    `${name} [${shape.join()}] at [${place.join()}]: found ${found}, expected ${expected}; off by ` +
    `${error.toExponential(1)} of the largest element (${scale}), allowed are ${bar.toExponential(0)}`
  );
}

function placeOf(index: number, shape: readonly number[]): number[] {
  const place: number[] = [];
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return place;
}
