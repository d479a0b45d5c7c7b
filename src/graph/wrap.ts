import { repeatedBlocks } from './blocks';
import type { ClosedBlocks } from './blocks';
import { clusterTree, outlineDot } from './outline-dot';
import type { Cluster } from './outline-dot';
import type { Outline } from './outline';
import { rowLayout } from './row-layout';
import type { Layout, RowLayout } from './row-layout';
import { inset, stackRows } from './stack-rows';
import type { Stack } from './stack-rows';

/** A drawing ready for Graphviz, and the engine that draws it. */
export interface WrappedDrawing {
  readonly text: string;
  readonly engine: 'dot' | 'nop2';
}

/**
 * The maximum width of a row, in points. With its surroundings, and with what it gains when laid out alone, a row fits 838
 * px, the column of a README on GitHub.
 */
const rowWidth = 572;

/**
 * An outline as Graphviz text no wider than a column of text: in one row if it fits, otherwise in rows from top to bottom,
 * like lines of text. A row ends only where a single value passes to the next. A network that cannot be broken in this way
 * runs from top to bottom.
 *
 * Graphviz lays out each row; this module stacks them.
 *
 * @param known the layout of the outline in one row. Default: it is computed.
 */
export async function wrap(
  whole: Outline,
  layout: Layout,
  known?: RowLayout,
): Promise<WrappedDrawing> {
  const line = known ?? (await rowLayout(whole, layout));
  if (line.width <= rowWidth) return { text: outlineDot(whole), engine: 'dot' };
  const stack = breakRows(whole, line, clusterTree(whole.boxes), rowWidth);
  if (stack === undefined) return { text: outlineDot(whole, { rankdir: 'TB' }), engine: 'dot' };
  const places = await stackRows(whole, stack, layout);
  return { text: outlineDot(whole, { places }), engine: 'nop2' };
}

/** The blocks to close for a readable drawing: those that repeat others, unless the whole network fits in one row. */
export async function readable(
  whole: Outline,
  layout: Layout,
  known?: RowLayout,
): Promise<ClosedBlocks> {
  const line = known ?? (await rowLayout(whole, layout));
  return line.width <= rowWidth ? new Map() : repeatedBlocks(whole);
}

/** The rows of a dictionary, or undefined if an unbreakable part is wider than a row. */
function breakRows(
  whole: Outline,
  line: RowLayout,
  { path, parts }: Cluster,
  width: number,
): Stack | undefined {
  const rows: (number[] | Stack)[] = [];
  let row: number[] = [];
  const endRow = (): void => {
    if (row.length > 0) rows.push(row);
    row = [];
  };
  for (const chunk of chunks(whole, parts)) {
    const boxes = chunk.flatMap(boxesOf);
    if (extent(line, boxes) <= width) {
      if (extent(line, [...row, ...boxes]) > width) endRow();
      row.push(...boxes);
      continue;
    }
    const [only] = chunk;
    if (chunk.length > 1 || typeof only === 'number') return undefined;
    const inner = breakRows(whole, line, only, width - 2 * inset);
    if (inner === undefined) return undefined;
    endRow();
    rows.push(inner);
  }
  endRow();
  return { path, rows };
}

/** Parts that stay together: between two chunks, all forward arrows come from one box. */
function chunks({ arrows }: Outline, parts: readonly (number | Cluster)[]): (number | Cluster)[][] {
  const placeOf = new Map(parts.flatMap((part, at) => boxesOf(part).map((box) => [box, at])));
  const result: (number | Cluster)[][] = [];
  for (const [at, part] of parts.entries()) {
    const crossing = arrows.filter(([from, to]) => {
      const [start, end] = [placeOf.get(from), placeOf.get(to)];
      return start !== undefined && end !== undefined && start < at !== end < at;
    });
    const isForward = crossing.every(([from]) => (placeOf.get(from) ?? at) < at);
    const isBreak = isForward && new Set(crossing.map(([from]) => from)).size <= 1;
    if (at === 0 || isBreak) result.push([]);
    result[result.length - 1].push(part);
  }
  return result;
}

function boxesOf(part: number | Cluster): number[] {
  return typeof part === 'number' ? [part] : part.parts.flatMap(boxesOf);
}

/** The total width of boxes in one row. */
function extent({ boxes }: RowLayout, indices: readonly number[]): number {
  const places = indices.flatMap((index) => boxes.get(index) ?? []);
  return (
    Math.max(...places.map(({ right }) => right)) - Math.min(...places.map(({ left }) => left))
  );
}
