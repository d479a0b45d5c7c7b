import { ancestors } from './node-path';
import { outlineDot } from './outline-dot';
import { outline } from './outline';
import type { OutlineOptions } from './outline';
import type { Graph, Layer } from './spec';

/** The numbers of boxes, arrows and clusters in a drawing; every dictionary that holds nodes is a cluster. */
export interface Counts {
  readonly nodes: number;
  readonly edges: number;
  readonly clusters: number;
}

/** Options of {@link dot}. */
export type DotOptions = OutlineOptions;

/**
 * A network as Graphviz text: left to right, a rounded box for each node labelled with the last part of its
 * path, nested grey clusters for the dictionaries, colour by kind of layer, the layer's description as tooltip, and a
 * legend of the kinds.
 *
 * Node ids are the full paths, so a viewer can animate one drawing into the next. The same graph gives the same text.
 *
 * @example
 * ```ts
 * await writeFile('net.dot', dot(removeByType(build(net()))));
 * ```
 */
export function dot(graph: Graph<Layer>, options: DotOptions = {}): string {
  return outlineDot(outline(graph, options));
}

/**
 * How many nodes, edges and clusters the drawing of a graph has. An input that is read twice by one node is two edges.
 *
 * @example
 * ```ts
 * counts(build({ prep: { conv, relu }, pool })); // { nodes: 4, edges: 3, clusters: 1 }, `input` included
 * ```
 */
export function counts(graph: Graph<Layer>): Counts {
  const edges = [...graph.values()].reduce((sum, { inputs }) => sum + inputs.length, 0);
  const clusters = new Set([...graph.keys()].flatMap(ancestors));
  return { nodes: graph.size, edges, clusters: clusters.size };
}
