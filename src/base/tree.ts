/**
 * Nested records of values, as states, inputs and outputs of training steps are: `{ params: { 'prep/conv': … } }`.
 *
 * A value is told from a record by the caller's `isValue`, so the same walk serves tensors, host arrays and shapes.
 */
export interface Tree<T> {
  readonly [key: string]: T | Tree<T>;
}

/** Tells a value from a record of further values. */
export type IsValue<T> = (node: T | Tree<T>) => node is T;

/** Every value with its path of keys, depth-first in insertion order. */
export function* entries<T>(
  tree: Tree<T>,
  isValue: IsValue<T>,
  prefix: readonly string[] = [],
): Generator<readonly [path: readonly string[], value: T]> {
  for (const [key, node] of Object.entries(tree)) {
    const path = [...prefix, key];
    if (isValue(node)) yield [path, node];
    else yield* entries(node, isValue, path);
  }
}

/** The same nesting with every value replaced by `change(value, path)`. */
export function mapTree<T, U>(
  tree: Tree<T>,
  isValue: IsValue<T>,
  change: (value: T, path: readonly string[]) => U,
  prefix: readonly string[] = [],
): Tree<U> {
  const result: Record<string, U | Tree<U>> = {};
  for (const [key, node] of Object.entries(tree)) {
    const path = [...prefix, key];
    result[key] = isValue(node) ? change(node, path) : mapTree(node, isValue, change, path);
  }
  return result;
}
