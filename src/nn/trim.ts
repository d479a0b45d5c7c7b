import type { Graph, GraphNode } from '../graph/spec';
import type { AnyLayer } from './network';

/** Extents are trimmed to a multiple of this, the window of a 2x2 max pooling. */
const window = 2;

/**
 * Trims the convolutions of a network where that is exact: a 3x3 convolution with stride 1 and padding 1 whose only reader
 * is a 2x2 max pooling with stride 2 skips the row and the column that the pooling drops.
 *
 * Of 31x31 outputs the pooling reads 30x30, of 3x3 it reads 2x2. Elementwise layers, such as activations, may lie between
 * the two; they and the convolution return the smaller extents. All other values and all gradients are unchanged. Images
 * with even extents are computed as before.
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

/** Whether each element of the output depends only on the input at the same position; a norm's statistics cover them all. */
function isElementwise({ kind }: AnyLayer): boolean {
  return ['relu', 'celu', 'softplus', 'shift-scale-relu', 'gelu', 'silu', 'identity'].includes(
    kind,
  );
}
