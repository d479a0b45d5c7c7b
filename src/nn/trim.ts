import type { Graph, GraphNode } from '../graph/spec';
import type { AnyLayer } from './network';

/** Extents are cut to a multiple of this: what a 2x2 max pooling reads. */
const window = 2;

/**
 * The same network with its convolutions trimmed where that is exact: a 3x3 convolution of stride 1 and padding 1 whose
 * only reader is a 2x2 max pooling of stride 2 computes no row and no column that the pooling drops.
 *
 * Of 31x31 outputs the pooling reads 30x30, of 3x3 it reads 2x2. Values of the trimmed nodes have the smaller extents;
 * those of all other nodes, and all gradients, are what they were. Layers between the two are looked through where they
 * treat every element alike, as an activation does. Images of even extents are computed as before.
 */
export function trimNetwork(graph: Graph<AnyLayer>): Graph<AnyLayer> {
  const readers = new Map<string, string[]>();
  for (const [path, { inputs }] of graph) {
    for (const input of inputs) readers.set(input, [...(readers.get(input) ?? []), path]);
  }
  const layerOf = (path: string): AnyLayer | null => graph.get(path)?.layer ?? null;
  const isDropped = (path: string): boolean => {
    const [reader, ...others] = readers.get(path) ?? [];
    const layer = reader === undefined ? null : layerOf(reader);
    if (layer === null || others.length > 0) return false;
    if (layer.kind === 'max-pool') return layer.size === window && layer.stride === window;
    return isElementwise(layer) && isDropped(reader);
  };
  return new Map(
    [...graph].map(([path, node]): [string, GraphNode<AnyLayer>] => {
      const { layer } = node;
      const isTrimmable =
        layer?.kind === 'conv' &&
        layer.size === 3 &&
        layer.stride === 1 &&
        layer.padding === 1 &&
        isDropped(path);
      return [path, isTrimmable ? { ...node, layer: { ...layer, isTrimmed: true } } : node];
    }),
  );
}

/** Whether a layer computes every element from the one in the same place; the statistics of a norm are of all of them. */
function isElementwise({ kind }: AnyLayer): boolean {
  return ['relu', 'celu', 'softplus', 'shift-scale-relu', 'gelu', 'silu', 'identity'].includes(
    kind,
  );
}
