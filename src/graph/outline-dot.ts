import { lastPart, parentOf } from './node-path';
import type { Box, LegendEntry, Outline } from './outline';

/** A dictionary of the network: its boxes, by index, and its inner dictionaries, in order. */
export interface Cluster {
  readonly path: string;
  readonly parts: (number | Cluster)[];
}

/** Positions as Graphviz attributes, for its engine `nop2`, which places nothing itself. */
export interface Places {
  /** Of the drawing. */
  readonly graph: string;
  /** Of each box and of each arrow, by index. */
  readonly boxes: readonly string[];
  readonly arrows: readonly string[];
  /** Of each cluster, by path. */
  readonly clusters: ReadonlyMap<string, string>;
}

/** Options of {@link outlineDot}. */
export interface OutlineDotOptions {
  /** Which way arrows point: to the right, or down. Default: `LR`. */
  readonly rankdir?: 'LR' | 'TB';
  /** The positions of everything. Default: Graphviz chooses them. */
  readonly places?: Places;
  /** The dictionary that holds all boxes; it gets no cluster. Default: the whole network. */
  readonly root?: string;
}

/**
 * An outline as Graphviz text: a rounded box for each node, nested grey clusters for the dictionaries, a legend below.
 *
 * Ids are the full paths, so a viewer can animate one drawing into the next. The same outline gives the same text. This
 * module also runs in the browser, so it imports nothing that a browser lacks.
 */
export function outlineDot(
  { name, boxes, arrows, legend }: Outline,
  { rankdir = 'LR', places, root = '' }: OutlineDotOptions = {},
): string {
  const lines: string[] = [];
  const write = (depth: number, text: string): void => {
    lines.push('  '.repeat(depth) + text);
  };
  write(0, `digraph ${quote(name)} {`);
  write(1, `rankdir=${rankdir}; nodesep=0.14; ranksep=0.2; pad=0.12; bgcolor="#ffffff";`);
  write(1, `fontname=${quote(font)}; fontsize=10; fontcolor="#3d3d3d"; color="#77777788";`);
  if (places !== undefined) write(1, `${places.graph};`);
  write(1, `node [shape=box, style="rounded,filled", fontname=${quote(font)}, fontsize=11,`);
  write(1, '  width=0.4, height=0.29, margin="0.09,0.04", color="#00000055", penwidth=0.8];');
  write(1, 'edge [color="#5a5a5a", arrowsize=0.6, penwidth=1];');

  const writeCluster = ({ parts }: Cluster, depth: number): void => {
    for (const part of parts) {
      if (typeof part === 'number') {
        write(
          depth,
          `${quoted(boxes[part].path)} [${boxAttributes(boxes[part])}${comma(places?.boxes[part])}];`,
        );
      } else {
        write(depth, `subgraph ${quote(`cluster_${part.path}`)} {`);
        write(depth + 1, `label=${text(lastPart(part.path))}; tooltip=${text(part.path)};`);
        write(depth + 1, 'style="rounded,filled"; fillcolor="#77777744"; margin=6;');
        const place = places?.clusters.get(part.path);
        if (place !== undefined) write(depth + 1, `${place};`);
        writeCluster(part, depth + 1);
        write(depth, '}');
      }
    }
  };
  writeCluster(clusterTree(boxes, root), 1);

  for (const [index, [from, to]] of arrows.entries()) {
    const place = places?.arrows[index];
    const ends = `${quoted(boxes[from].path)} -> ${quoted(boxes[to].path)}`;
    write(1, `${ends}${place === undefined ? '' : ` [${place}]`};`);
  }
  // After the clusters, which inherit a label that is set before them.
  if (legend.length > 0) {
    write(1, `label=<${legendTable(legend)}>; labelloc=b; labeljust=l;`);
  }
  write(0, '}');
  return `${lines.join('\n')}\n`;
}

/** The dictionaries below `root` that hold these boxes, as a tree. */
export function clusterTree(boxes: readonly Box[], root = ''): Cluster {
  const top: Cluster = { path: root, parts: [] };
  const clusters = new Map([[root, top]]);
  const clusterAt = (path: string): Cluster => {
    const known = clusters.get(path);
    if (known !== undefined) return known;
    const cluster: Cluster = { path, parts: [] };
    clusters.set(path, cluster);
    clusterAt(parentOf(path)).parts.push(cluster);
    return cluster;
  };
  for (const [index, { path }] of boxes.entries()) clusterAt(parentOf(path)).parts.push(index);
  return top;
}

const font = 'Helvetica,Arial,sans-serif';

function boxAttributes({ label, fill, ink, tooltip, isBlock }: Box): string {
  return (
    `label=${text(label)}, fillcolor="${fill}", fontcolor="${ink}", tooltip=${text(tooltip)}` +
    (isBlock === undefined ? '' : ', class="closed", penwidth=1.6, margin="0.14,0.04"')
  );
}

function comma(attributes: string | undefined): string {
  return attributes === undefined ? '' : `, ${attributes}`;
}

/** Coloured cells in one row or, if they do not fit, in several of equal length. */
function legendTable(legend: readonly LegendEntry[]): string {
  const width = legend.reduce((sum, { kind }) => sum + 6 * kind.length + 16, 0);
  const columns = Math.ceil(legend.length / Math.ceil(width / 590));
  const cells = legend.map(
    ({ kind, fill, ink }) =>
      `<TD BGCOLOR="${fill}"><FONT COLOR="${ink}">&#160;${markup(kind)}&#160;</FONT></TD>`,
  );
  const rows = Array.from({ length: Math.ceil(legend.length / columns) }, (_, row) => {
    return `<TR>${cells.slice(row * columns, (row + 1) * columns).join('')}</TR>`;
  });
  return `<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="4" CELLPADDING="4" COLOR="#00000055">${rows.join('')}</TABLE>`;
}

/** A node's name in Graphviz: its path. Names that start with % are reserved: Graphviz would write %1, %3 and so on. */
export function nodeName(path: string): string {
  return path.startsWith('%') ? `./${path}` : path;
}

function quoted(path: string): string {
  return quote(nodeName(path));
}

/** An id in DOT, where only the quote is special. Names hold no backslash (see `build`). */
function quote(id: string): string {
  return `"${id.replaceAll('"', '\\"')}"`;
}

/** Visible text in DOT, where backslashes start escapes and ampersands entities. */
function text(shown: string): string {
  return quote(shown.replaceAll('\\', '\\\\').replaceAll('&', '&amp;'));
}

function markup(shown: string): string {
  return shown.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
