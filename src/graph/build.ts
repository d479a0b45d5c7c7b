import { GraphError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { isLayer, isLeaf } from './spec';
import type { Graph, GraphNode, InputRef, Layer, Leaf, Net } from './spec';

/** Every leaf of a network with its full path, depth-first in insertion order. */
export function* paths<L extends Layer>(
  net: Net<L>,
  prefix = '',
): Generator<readonly [path: string, leaf: Leaf<L>]> {
  for (const [name, value] of Object.entries(net)) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    if (name === '' || name.includes('/') || name === '.' || name === '..') {
      throw new GraphError(
        `graph: "${path}" has the name "${name}"; a name is not empty and holds no "/" or "..". Rename it.`,
      );
    }
    if (isLeaf(value)) yield [path, value];
    else yield* paths(value, path);
  }
}

/**
 * Resolves a network's notation into a graph: full path -> layer and full paths of its inputs, in order of evaluation.
 *
 * A network that does not begin with a fed node (`logits: [null, []]`) gets one named `input` at its front. Every input
 * must stand before the node that reads it.
 *
 * @throws GraphError if an input names no node, stands after its reader, or an offset leaves the network.
 * @example
 * ```ts
 * build({ conv: conv(3, 8), branch: { relu: relu(), sum: [add(), ['relu', '../conv']] } })
 * // 'branch/sum' -> inputs ['branch/relu', 'conv']
 * ```
 */
export function build<L extends Layer>(net: Net<L>): Graph<L> {
  const given = [...paths(net)];
  const isFed = Array.isArray(given[0]?.[1]) && given[0][1][0] === null;
  const leaves = isFed ? given : [...paths({ input: [null, []], ...net } as Net<L>)];
  const order = new Map(leaves.map(([path], index) => [path, index] as const));

  const resolve = (path: string, index: number, ref: InputRef): string => {
    const found = typeof ref === 'number' ? leaves[index + ref]?.[0] : relative(path, ref);
    if (typeof ref === 'number' && (found === undefined || ref >= 0)) {
      throw new GraphError(
        `graph: "${path}" reads the node at offset ${ref}, which is not before it; it is node ${index} of ` +
          `${leaves.length}. Offsets are negative whole numbers, -1 being the node before.`,
      );
    }
    const at = order.get(found as string);
    if (at === undefined) {
      const sameEnd = [...order.keys()].filter((other) => other.endsWith(`/${ref}`));
      const meant = sameEnd.length === 1 ? `, which is "${sameEnd[0]}"` : '';
      throw new GraphError(
        `graph: "${path}" reads "${found}"${meant}; no such node.${nearestHint(found as string, order.keys())}`,
      );
    }
    if (at >= index) {
      throw new GraphError(
        `graph: "${path}" reads "${found}", which comes ${at === index ? 'from itself' : 'after it'}. ` +
          `A node reads only nodes before it: move "${found}" up.`,
      );
    }
    return found as string;
  };

  const graph = new Map<string, GraphNode<L>>();
  for (const [index, [path, leaf]] of leaves.entries()) {
    const [layer, refs] = isLayer<L>(leaf) ? ([leaf, index === 0 ? [] : [-1]] as const) : leaf;
    const list = Array.isArray(refs) ? (refs as readonly InputRef[]) : [refs as InputRef];
    graph.set(path, { layer, inputs: list.map((ref) => resolve(path, index, ref)) });
  }
  return graph;
}

/** The full path that `ref`, written in the node `path`, means: relative to the parent of the node. */
function relative(path: string, ref: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of ref.split('/')) {
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return parts.join('/');
}
