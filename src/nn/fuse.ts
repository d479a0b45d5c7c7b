import type { Graph, GraphNode } from '../graph/spec';
import { identity } from './combine';
import type { ActivationLayer } from './activation';
import type { AnyLayer } from './network';

/**
 * Moves each activation into the layer before it, if that is a batch norm or a convolution with a bias and has no other
 * reader. This saves one pass over memory and one tensor kept for the gradient.
 *
 * Nodes keep their names and their order, so parameters keep their paths and values. A fused norm or convolution returns
 * the value **after** the activation, which the activation's node passes through: use the original network to inspect
 * inner values. The output of the network is the same up to rounding.
 *
 * @example
 * ```ts
 * const graph = build({ conv: conv(3, 8), bn: batchNorm(8), relu: relu() });
 * fuse(graph).get('bn'); // { layer: { kind: 'batch-norm', ..., activation: { kind: 'relu' } }, inputs: ['conv'] }
 * ```
 */
export function fuse(graph: Graph<AnyLayer>): Graph<AnyLayer> {
  const readers = new Map<string, number>();
  for (const { inputs } of graph.values()) {
    for (const input of inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  }
  const fused = new Map<string, GraphNode<AnyLayer>>(graph);
  for (const [path, { layer, inputs }] of graph) {
    const activation = fusableActivation(layer);
    if (activation === undefined) continue;
    const [source] = inputs;
    const before = graph.get(source)?.layer;
    if (before === null || before === undefined || readers.get(source) !== 1) continue;
    if (!takesActivation(before)) continue;
    fused.set(source, {
      layer: { ...before, activation },
      inputs: graph.get(source)?.inputs ?? [],
    });
    fused.set(path, { layer: identity(), inputs });
  }
  return fused;
}

function fusableActivation(layer: AnyLayer | null): ActivationLayer | undefined {
  switch (layer?.kind) {
    case 'relu':
    case 'gelu':
    case 'silu':
    case 'celu':
      return layer;
    default:
      return undefined;
  }
}

function takesActivation(
  layer: AnyLayer,
): layer is Extract<AnyLayer, { readonly activation?: ActivationLayer }> {
  switch (layer.kind) {
    case 'batch-norm':
    case 'ghost-batch-norm':
      return layer.activation === undefined;
    case 'conv':
      return layer.hasBias && layer.activation === undefined;
    default:
      return false;
  }
}
