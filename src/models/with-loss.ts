import { GraphError } from '../base/errors';
import type { Graph, GraphNode, Layer } from '../graph/spec';

/**
 * A network and its loss as one graph, for drawing: the loss's `logits` become the network's last node, and `target`
 * remains an input.
 *
 * @throws GraphError if the network is empty, or both have a node of the same name
 * @example
 * ```ts
 * counts(withLoss(build(unbranched()), build(crossEntropyLoss()))); // { nodes: 33, edges: 33, clusters: 8 }
 * ```
 */
export function withLoss<L extends Layer>(graph: Graph<L>, loss: Graph<L>): Graph<L> {
  const output = [...graph.keys()].at(-1);
  if (output === undefined) throw new GraphError('withLoss: the network is empty. Add a node.');
  const merged = new Map<string, GraphNode<L>>(graph);
  for (const [path, { layer, inputs }] of loss) {
    if (path === 'logits' && layer === null) continue;
    if (merged.has(path)) {
      throw new GraphError(
        `withLoss: network and loss both have a node "${path}". Rename it in one of them.`,
      );
    }
    merged.set(path, {
      layer,
      inputs: inputs.map((input) => (input === 'logits' ? output : input)),
    });
  }
  return merged;
}
