/**
 * The notation for networks: a nested dictionary whose leaves are layers.
 *
 * The path of keys names a node (`layer3/residual/add`), order is depth-first in insertion order, and a node without
 * explicit inputs takes the output of the node before it. This is the notation of the reference implementation; see
 * `docs/networks.md`. A network is plain data, so it is edited as plain data: spread it, or use `edit.ts`.
 */

/** A layer is any object with a string `kind`, which also distinguishes it from a nested dictionary. */
export interface Layer {
  readonly kind: string;
}

/**
 * Where a node's input comes from: a path relative to the node's **parent** (`in`, `res2/relu`, `../pool`), or a
 * negative offset in flattened order (-1 is the node before).
 */
export type InputRef = string | number;

/** A layer with default input, a layer with explicit inputs, or `[null, []]` for a node that the caller feeds. */
export type Leaf<L extends Layer> =
  L | readonly [layer: L | null, inputs: readonly InputRef[] | InputRef];

/** A network or a part of one: names to leaves or further dictionaries. */
export interface Net<L extends Layer> {
  readonly [name: string]: Leaf<L> | Net<L>;
}

/** One node of a built graph: its layer (`null` if the caller feeds the value) and the full paths it reads. */
export interface GraphNode<L extends Layer> {
  readonly layer: L | null;
  readonly inputs: readonly string[];
}

/** A built network: full path to node, in order of evaluation. */
export type Graph<L extends Layer> = ReadonlyMap<string, GraphNode<L>>;

/** Distinguishes a layer from a `[layer, inputs]` pair and from a nested dictionary (which may have a key `kind`). */
export function isLayer<L extends Layer>(value: Leaf<L> | Net<L>): value is L {
  return !Array.isArray(value) && typeof (value as Layer).kind === 'string';
}

/** Distinguishes a leaf, with or without explicit inputs, from a nested dictionary. */
export function isLeaf<L extends Layer>(value: Leaf<L> | Net<L>): value is Leaf<L> {
  return Array.isArray(value) || isLayer(value);
}
