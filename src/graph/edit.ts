import { GraphError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { mapTree } from '../base/tree';
import { paths } from './build';
import { isLayer, isLeaf } from './spec';
import type { Graph, GraphNode, Layer, Leaf, Net } from './spec';

/** For each kind of layer to change, a function from the old layer to the new one. */
export type KindChanges<L extends Layer, M extends Layer> = {
  readonly [K in L['kind']]?: (layer: LayerOfKind<L, K>) => M;
};

/** The members of a union of layers that can be of a kind. */
export type LayerOfKind<L extends Layer, K extends string> = L extends unknown
  ? K extends L['kind']
    ? L
    : never
  : never;

/** The changes of {@link override}, by kind of layer and by path of a node or block. */
export interface Overrides<L extends Layer, M extends Layer> {
  /** As {@link mapTypes} takes them. */
  readonly kinds?: KindChanges<L, M>;
  /** By path of a node or block: a layer or a function of the layer, a pair with inputs, or a dictionary. */
  readonly paths?: Readonly<Record<string, Leaf<M> | Net<M> | ((layer: L) => M)>>;
}

/**
 * Merges dictionaries: a repeated name replaces the earlier entry **in its place**, a new one goes last.
 *
 * Inner dictionaries are replaced as a whole, not merged; {@link override} changes single nodes inside them.
 *
 * @example
 * ```ts
 * union({ prep, pool }, { prep: whitened, loss }); // { prep: whitened, pool, loss }
 * ```
 */
export function union<L extends Layer>(...nets: readonly Net<L>[]): Net<L> {
  return Object.fromEntries(nets.flatMap((net) => Object.entries(net)));
}

/**
 * The same block with its members in the order of `keys`, which must name each of them once.
 *
 * Members with explicit inputs keep them; the others read whatever now precedes them.
 *
 * @throws GraphError if `keys` names a missing member, leaves one out or names one twice.
 * @example
 * ```ts
 * reorder({ conv, norm, act, pool }, ['conv', 'pool', 'norm', 'act']); // pool before the norm
 * ```
 */
export function reorder<B extends Net<Layer>>(block: B, keys: readonly string[]): B {
  const members = new Map(Object.entries(block));
  const ordered = new Map<string, Leaf<Layer> | Net<Layer>>();
  for (const key of keys) {
    const member = members.get(key);
    if (member === undefined) {
      throw new GraphError(
        `reorder: the block has no "${key}".${nearestHint(key, members.keys())}`,
      );
    }
    if (ordered.has(key)) throw new GraphError(`reorder: "${key}" is named twice. Name it once.`);
    ordered.set(key, member);
  }
  const missing = [...members.keys()].find((key) => !ordered.has(key));
  if (missing !== undefined) {
    throw new GraphError(`reorder: "${missing}" is missing. Name every member of the block once.`);
  }
  // The members are those of the block, but the dictionary's type does not show it.
  return Object.fromEntries(ordered) as Net<Layer> as B;
}

/**
 * The same network with every layer replaced by `change(layer, path)`; inputs and nodes without a layer are kept.
 *
 * @example
 * ```ts
 * mapLayers((layer) => (layer.kind === 'conv' ? { ...layer, bias: true } : layer), net);
 * ```
 */
export function mapLayers<L extends Layer, M extends Layer>(
  change: (layer: L, path: string) => M,
  net: Net<L>,
): Net<M> {
  const changeLeaf = (leaf: Leaf<L>, path: readonly string[]): Leaf<M> => {
    return withLayer(leaf, (layer) => change(layer, path.join('/')));
  };
  return mapTree<Leaf<L>, Leaf<M>>(net, isLeaf<L>, changeLeaf);
}

/**
 * The same network with layers swapped by kind, everywhere.
 *
 * @throws GraphError if the network has no layer of a kind to change.
 * @example
 * ```ts
 * mapTypes({ relu: () => celu(0.3), 'batch-norm': (bn) => ghostBatchNorm(bn.channels, 16) }, net);
 * ```
 */
export function mapTypes<L extends Layer, M extends Layer = L>(
  changes: KindChanges<L, M>,
  net: Net<L>,
): Net<L | M> {
  const kinds = new Set<string>();
  for (const [, leaf] of paths(net)) {
    const layer = layerOf(leaf);
    if (layer !== null) kinds.add(layer.kind);
  }
  const table = new Map(Object.entries(changes) as [string, (layer: L) => M][]);
  for (const kind of table.keys()) {
    if (!kinds.has(kind)) {
      throw new GraphError(
        `mapTypes: the network has no layer of kind "${kind}".${nearestHint(kind, kinds)}`,
      );
    }
  }
  return mapLayers<L, L | M>((layer) => table.get(layer.kind)?.(layer) ?? layer, net);
}

/**
 * The same network with layers replaced by kind and parts replaced by path; if both apply, the path wins.
 *
 * A path names a node or a block. A layer, or a function of the layer, replaces the node's layer and keeps its inputs; a
 * `[layer, inputs]` pair or a dictionary replaces the whole part, inputs included.
 *
 * @throws GraphError if a path or kind is not in the network, one path lies inside another, or a function is given for
 *   a block or for a node without a layer.
 * @example
 * ```ts
 * override({ kinds: { 'batch-norm': identity }, paths: { 'prep/bn': (bn) => bn, 'layer3/residual': {} } }, net);
 * // no batch norm but the first, no residual in layer 3
 * ```
 */
export function override<L extends Layer, M extends Layer = L>(
  changes: Overrides<L, M>,
  net: Net<L>,
): Net<L | M> {
  const byPath = new Map(Object.entries(changes.paths ?? {}));
  const swapped = changes.kinds === undefined ? net : mapTypes<L, M>(changes.kinds, net);
  const known = new Set<string>();

  const walk = (before: Net<L>, after: Net<L | M>, prefix: string): Net<L | M> => {
    const result: Record<string, Leaf<L | M> | Net<L | M>> = {};
    for (const [name, part] of Object.entries(before)) {
      const path = `${prefix}${name}`;
      known.add(path);
      const change = byPath.get(path);
      if (change !== undefined) result[name] = replace(part, change, path);
      else if (isLeaf(part)) result[name] = after[name];
      else result[name] = walk(part, after[name] as Net<L | M>, `${path}/`);
    }
    return result;
  };
  const result = walk(net, swapped, '');

  for (const path of byPath.keys()) {
    if (known.has(path)) continue;
    const above = [...byPath.keys()].find((other) => path.startsWith(`${other}/`));
    throw new GraphError(
      above === undefined
        ? `override: the network has no node or block "${path}".${nearestHint(path, known)}`
        : `override: "${path}" lies inside "${above}", which is replaced as a whole. Change it there.`,
    );
  }
  return result;
}

function replace<L extends Layer, M extends Layer>(
  part: Leaf<L> | Net<L>,
  change: Leaf<M> | Net<M> | ((layer: L) => M),
  path: string,
): Leaf<M> | Net<M> {
  if (typeof change === 'function') {
    if (!isLeaf(part) || layerOf(part) === null) {
      throw new GraphError(
        `override: "${path}" is ${isLeaf(part) ? 'a node without a layer' : 'a block'}, so a function cannot replace its ` +
          'layer. Give the new part itself.',
      );
    }
    return withLayer(part, change);
  }
  if (isLayer(change) && isLeaf(part) && !isLayer(part)) return [change, part[1]];
  return change;
}

function layerOf<L extends Layer>(leaf: Leaf<L>): L | null {
  return isLayer<L>(leaf) ? leaf : leaf[0];
}

function withLayer<L extends Layer, M extends Layer>(
  leaf: Leaf<L>,
  change: (layer: L) => M,
): Leaf<M> {
  if (isLayer<L>(leaf)) return change(leaf);
  return [leaf[0] === null ? null : change(leaf[0]), leaf[1]];
}

/**
 * The graph without its nodes of these kinds: readers of a removed node read its input instead. For drawings.
 *
 * Kinds that do not occur are ignored.
 *
 * @throws GraphError if such a node does not have exactly one input, so that nothing can replace it.
 * @example
 * ```ts
 * removeByType(build({ conv, in: identity(), add: [add(), ['in', 'conv']] })); // add reads conv twice
 * ```
 */
export function removeByType<L extends Layer>(
  graph: Graph<L>,
  kinds: readonly string[] = ['identity'],
): Graph<L> {
  const standIn = new Map<string, string>();
  const kept = new Map<string, GraphNode<L>>();
  for (const [path, { layer, inputs }] of graph) {
    const rewired = inputs.map((input) => standIn.get(input) ?? input);
    if (layer === null || !kinds.includes(layer.kind)) kept.set(path, { layer, inputs: rewired });
    else if (rewired.length === 1) standIn.set(path, rewired[0]);
    else {
      throw new GraphError(
        `removeByType: "${path}" (${layer.kind}) has ${rewired.length} inputs, expected 1. ` +
          `Only nodes that pass one input on can be removed.`,
      );
    }
  }
  return kept;
}
