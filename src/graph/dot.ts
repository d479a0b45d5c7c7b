import { colourMap, textColour } from './colours';
import type { Graph, Layer } from './spec';

/** The numbers of a drawing: boxes, arrows, and one cluster for each dictionary that holds nodes. */
export interface Counts {
  readonly nodes: number;
  readonly edges: number;
  readonly clusters: number;
}

/** How {@link dot} draws. */
export interface DotOptions {
  /** Fill of each kind of layer; by default that graph's own {@link colourMap}. Kinds that are not in it are white. */
  readonly colours?: ReadonlyMap<string, string>;
  /** Name of the drawing, read out by screen readers: `network` by default. */
  readonly name?: string;
}

/** A dictionary of the network: the names of its nodes and its inner dictionaries, in order. */
interface Cluster {
  readonly path: string;
  readonly parts: (string | Cluster)[];
}

/**
 * A network's drawing as Graphviz text: left to right, a rounded box for each node labelled with the last part of its
 * path, nested grey clusters for the dictionaries, colour by kind of layer, the layer's description as tooltip.
 *
 * Node ids are the full paths, so a viewer can move one drawing into the next. The same graph gives the same text.
 *
 * @example
 * ```ts
 * await writeFile('net.svg', await svg(dot(removeByType(build(net())))));
 * ```
 */
export function dot(
  graph: Graph<Layer>,
  { colours = colourMap(graph), name = 'network' }: DotOptions = {},
): string {
  const lines: string[] = [];
  const write = (depth: number, text: string): void => {
    lines.push('  '.repeat(depth) + text);
  };
  write(0, `digraph ${quote(name)} {`);
  write(1, 'rankdir=LR; size=15; nodesep=0.18; ranksep=0.22; pad=0.15; bgcolor="#ffffff";');
  write(1, `fontname=${quote(font)}; fontsize=12; fontcolor="#3d3d3d"; color="#77777788";`);
  write(1, `node [shape=box, style="rounded,filled", fontname=${quote(font)}, fontsize=14,`);
  write(1, '  width=0.5, height=0.36, margin="0.13,0.06", color="#00000055", penwidth=0.8];');
  write(1, 'edge [color="#5a5a5a", arrowsize=0.6, penwidth=1];');

  const writeCluster = ({ parts }: Cluster, depth: number): void => {
    for (const part of parts) {
      if (typeof part === 'string') {
        const layer = graph.get(part)?.layer ?? null;
        const fill = (layer === null ? undefined : colours.get(layer.kind)) ?? '#ffffff';
        const tooltip = layer === null ? 'fed by the caller' : describe(layer);
        write(
          depth,
          `${nodeId(part)} [label=${text(lastPart(part))}, fillcolor="${fill}", fontcolor="${textColour(fill)}", ` +
            `tooltip=${text(tooltip)}];`,
        );
      } else {
        write(depth, `subgraph ${quote(`cluster_${part.path}`)} {`);
        write(depth + 1, `label=${text(lastPart(part.path))}; tooltip=${text(part.path)};`);
        write(depth + 1, 'style="rounded,filled"; fillcolor="#77777744"; margin=7;');
        writeCluster(part, depth + 1);
        write(depth, '}');
      }
    }
  };
  writeCluster(clusterTree(graph).root, 1);

  for (const [path, { inputs }] of graph) {
    for (const input of inputs) write(1, `${nodeId(input)} -> ${nodeId(path)};`);
  }
  write(0, '}');
  return `${lines.join('\n')}\n`;
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
  return { nodes: graph.size, edges, clusters: clusterTree(graph).size };
}

/**
 * A layer in words: its kind, then its parameters, as in `conv(cin=3, cout=64, size=3, stride=1, padding=1, bias=false)`.
 *
 * Numbers have six significant digits; arrays of more than eight values are told by their length, as weights are.
 */
export function describe(layer: Layer): string {
  const parameters = Object.entries(layer).filter(
    ([key, value]) => key !== 'kind' && value !== undefined,
  );
  const parts = parameters.map(([key, value]) => `${key}=${describeValue(value)}`);
  return parts.length === 0 ? layer.kind : `${layer.kind}(${parts.join(', ')})`;
}

const font = 'Helvetica,Arial,sans-serif';

function describeValue(value: unknown): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  if (typeof value === 'string') return value;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const list = value as unknown as ArrayLike<unknown>;
    if (list.length > 8) return `[${list.length} values]`;
    return `[${Array.from(list, describeValue).join(', ')}]`;
  }
  if (typeof value === 'object' && value !== null) {
    const parts = Object.entries(value).map(([key, part]) => `${key}=${describeValue(part)}`);
    return `{${parts.join(', ')}}`;
  }
  return String(value);
}

function clusterTree(graph: Graph<Layer>): { readonly root: Cluster; readonly size: number } {
  const root: Cluster = { path: '', parts: [] };
  const clusters = new Map([['', root]]);
  const clusterAt = (path: string): Cluster => {
    const known = clusters.get(path);
    if (known !== undefined) return known;
    const cluster: Cluster = { path, parts: [] };
    clusters.set(path, cluster);
    clusterAt(parentOf(path)).parts.push(cluster);
    return cluster;
  };
  for (const path of graph.keys()) clusterAt(parentOf(path)).parts.push(path);
  return { root, size: clusters.size - 1 };
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A node's path as an id. One that begins with % is Graphviz's own: it would come out as %1, %3 and so on. */
function nodeId(path: string): string {
  return quote(path.startsWith('%') ? `./${path}` : path);
}

/** An id in DOT, where only the quote is special. Names hold no backslash (see `build`). */
function quote(id: string): string {
  return `"${id.replaceAll('"', '\\"')}"`;
}

/** Shown text in DOT, where backslashes begin escapes and ampersands entities. */
function text(shown: string): string {
  return quote(shown.replaceAll('\\', '\\\\').replaceAll('&', '&amp;'));
}
