import { GraphError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { isLayer, isLeaf } from './spec';
import type { Graph, GraphNode, InputRef, Layer, Leaf, Net } from './spec';

/**
 * Every leaf of a network with its full path, depth-first in insertion order.
 *
 * @throws GraphError if a name cannot be part of a path, or a value is not a layer, pair or dictionary.
 * @example
 * ```ts
 * [...paths({ prep: { conv, bn }, pool })].map(([path]) => path); // ['prep/conv', 'prep/bn', 'pool']
 * ```
 */
export function* paths<L extends Layer>(
  net: Net<L>,
  prefix = '',
): Generator<readonly [path: string, leaf: Leaf<L>]> {
  for (const [name, value] of Object.entries(net)) {
    const path = prefix === '' ? name : `${prefix}/${name}`;
    checkName(name, path);
    checkValue(value, path);
    if (isLeaf(value)) yield [path, value];
    else yield* paths(value, path);
  }
}

/**
 * Resolves a network's notation into a graph: full path -> layer and full paths of its inputs, in order of evaluation.
 *
 * If the first node is not fed by the caller (`[null, []]`), a fed node `input` is put before it. Every input must
 * precede the node that reads it.
 *
 * @throws GraphError if an input names no node or does not precede its reader, or an offset is out of range.
 * @example
 * ```ts
 * build({ conv: conv(3, 8), branch: { relu: relu(), sum: [add(), ['relu', '../conv']] } })
 * // 'branch/sum' -> inputs ['branch/relu', 'conv']
 * ```
 */
export function build<L extends Layer>(net: Net<L>): Graph<L> {
  const leaves = withInput([...paths(net)]);
  const order = new Map(leaves.map(([path], index) => [path, index] as const));

  const graph = new Map<string, GraphNode<L>>();
  for (const [index, [path, leaf]] of leaves.entries()) {
    const [layer, refs] = isLayer<L>(leaf) ? ([leaf, -1] as const) : leaf;
    const list = Array.isArray(refs) ? (refs as readonly InputRef[]) : [refs as InputRef];
    const inputs = list.map((ref) => {
      return typeof ref === 'number'
        ? resolveOffset(ref, path, index, leaves)
        : resolvePath(ref, path, index, order);
    });
    graph.set(path, { layer, inputs });
  }
  return graph;
}

type Leaves<L extends Layer> = (readonly [path: string, leaf: Leaf<L>])[];

function withInput<L extends Layer>(leaves: Leaves<L>): Leaves<L> {
  const first = leaves.length === 0 ? undefined : leaves[0][1];
  if (Array.isArray(first) && first[0] === null) return leaves;
  if (leaves.some(([path]) => path === 'input')) {
    throw new GraphError(
      `graph: the network starts with "${leaves[0][0]}" and has a node "input" too. ` +
        `Move "input" to the front as [null, []], or give it another name.`,
    );
  }
  return [['input', [null, []]], ...leaves];
}

function resolveOffset<L extends Layer>(
  offset: number,
  path: string,
  index: number,
  leaves: Leaves<L>,
): string {
  const found = offset < 0 ? leaves[index + offset] : undefined;
  if (found === undefined) {
    throw new GraphError(
      `graph: "${path}" reads the node at offset ${offset}, but it is node ${index} of ${leaves.length}, counted ` +
        `from 0. Offsets are negative whole numbers, -1 being the node before.`,
    );
  }
  return found[0];
}

function resolvePath(
  ref: string,
  path: string,
  index: number,
  order: ReadonlyMap<string, number>,
): string {
  const target = relative(path, ref);
  if (target === undefined) {
    throw new GraphError(
      `graph: "${path}" reads "${ref}", which climbs out of the network. ` +
        `A path starts at the node's parent; ".." climbs one dictionary.`,
    );
  }
  const reads =
    `graph: "${path}" reads "${ref}"` + (target === ref ? '' : `, which is "${target}"`);
  const at = order.get(target);
  if (at === undefined) {
    const inside = [...order.keys()].filter((other) => other.startsWith(`${target}/`)).pop();
    if (inside !== undefined) {
      throw new GraphError(
        `${reads}; that is a block. Name a node in it; its last is "${inside}".`,
      );
    }
    // A path relative to the wrong place is more likely than a misspelling.
    const sameEnd = [...order.keys()].filter((other) => `/${other}`.endsWith(`/${ref}`));
    const hint = sameEnd.length === 1 ? ` Nearest: "${sameEnd[0]}".` : '';
    throw new GraphError(`${reads}; no such node.${hint || nearestHint(target, order.keys())}`);
  }
  if (at >= index) {
    throw new GraphError(
      at === index
        ? `${reads}: itself. A node reads only nodes before it.`
        : `${reads}; it comes later. A node reads only nodes before it: move "${target}" up.`,
    );
  }
  return target;
}

/** The full path of the input `ref` of the node `path`; `undefined` if it climbs above the top. */
function relative(path: string, ref: string): string | undefined {
  const parts = path.split('/').slice(0, -1);
  for (const part of ref.split('/')) {
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

function checkName(name: string, path: string): void {
  if (/^(0|[1-9]\d*)$/.test(name)) {
    throw new GraphError(
      `graph: "${path}" has the name "${name}", and JavaScript moves such keys to the front of a dictionary. ` +
        `Begin the name with a letter, as in "block${name}".`,
    );
  }
  // Besides the separator, characters that file formats and drawings cannot hold in a name.
  if (name === '' || name === '.' || name === '..' || /[/\\"\p{Cc}]/u.test(name)) {
    throw new GraphError(
      `graph: ${JSON.stringify(path)} has the name ${JSON.stringify(name)}; a name must not be empty, "." or "..", or ` +
        `contain a slash, quote or control character. Rename it.`,
    );
  }
}

/** Notebook cells are not checked by a strict compiler, so values that the types forbid can arrive here. */
function checkValue(value: unknown, path: string): void {
  const expected = 'Expected a layer, [layer, inputs], [null, []] or a dictionary of these.';
  if (typeof value === 'function') {
    throw new GraphError(`graph: "${path}" is a function. ${expected} Call it: ${value.name}(…).`);
  }
  if (typeof value !== 'object' || value === null) {
    throw new GraphError(`graph: "${path}" is ${String(value)}. ${expected}`);
  }
  if (!Array.isArray(value)) return;
  const [layer, refs] = value as readonly unknown[];
  const isRef = (ref: unknown): boolean => typeof ref === 'string' || Number.isInteger(ref);
  const refsFit = Array.isArray(refs) ? refs.every(isRef) : isRef(refs);
  const layerFits =
    layer === null || (typeof layer === 'object' && typeof (layer as Layer).kind === 'string');
  if (value.length !== 2 || !layerFits || !refsFit) {
    throw new GraphError(
      `graph: "${path}" is an array, but not [layer, inputs]. ` +
        `${expected} Inputs are paths and negative whole numbers.`,
    );
  }
  if (layer === null && !(Array.isArray(refs) && refs.length === 0)) {
    throw new GraphError(
      `graph: "${path}" has no layer and reads ${JSON.stringify(refs)}. ` +
        `A node without a layer is fed by the caller: write [null, []].`,
    );
  }
}
