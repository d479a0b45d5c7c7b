/**
 * A nested object of values, such as the state, inputs or outputs of a training step: `{ params: { 'prep/conv': … } }`.
 *
 * The caller's `isValue` distinguishes values from nested objects, so the same walk serves tensors, host arrays and shapes.
 */
export interface Tree<T> {
  readonly [key: string]: T | Tree<T>;
}

/** Distinguishes a value from a nested object of values. */
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
