import type { Places } from './outline-dot';
import type { Outline } from './outline';
import { rowLayout } from './row-layout';
import type { Layout, Rectangle } from './row-layout';

/** Rows of one dictionary from top to bottom, as indices of boxes. A block wider than a row is itself a stack. */
export interface Stack {
  readonly path: string;
  readonly rows: readonly (readonly number[] | Stack)[];
}

/** Space between the border of a stacked block and its rows, in points. Arrows to the next row turn there. */
export const inset = 14;

/** Points between two rows; `header`: above the rows of a stacked block, for its label. */
const gap = 18;
const header = 20;
const arrowhead = 6;
/** The distance beside a row at which its arrows to other rows turn. */
const turn = 11;

type Point = readonly [x: number, y: number];

/** Everything placed so far, in points; the top of the drawing is at 0, and y points up. */
interface Placed {
  readonly boxes: Map<number, Rectangle>;
  readonly clusters: Map<string, Rectangle>;
  /** Paths of the blocks that hold rows. */
  readonly stacks: Set<string>;
  readonly arrows: Map<number, string>;
  /** The row of each box. */
  readonly rows: Map<number, Rectangle>;
}

/** Stacks the rows of a network and routes the arrows between them. */
export async function stackRows(whole: Outline, stack: Stack, layout: Layout): Promise<Places> {
  const placed: Placed = {
    boxes: new Map(),
    clusters: new Map(),
    stacks: new Set(),
    arrows: new Map(),
    rows: new Map(),
  };
  const { right, bottom } = await pile(whole, stack, [0, 0], placed, layout);
  for (const [index, [from, to]] of whole.arrows.entries()) {
    if (placed.arrows.has(index)) continue;
    placed.arrows.set(index, spline(connector(whole, placed, from, to)));
  }
  return {
    graph: `bb="${[-turn, bottom, right + turn, 0].map(digits).join(',')}"`,
    boxes: whole.boxes.map((_, index) => {
      const { left, right: end, bottom: low, top } = at(placed.boxes, index);
      return `pos="${point([(left + end) / 2, (low + top) / 2])}"`;
    }),
    arrows: whole.arrows.map((_, index) => `pos="${at(placed.arrows, index)}"`),
    clusters: new Map(
      [...placed.clusters].map(([path, { left, right: end, bottom: low, top }]) => {
        const label = point([(left + end) / 2, top - 9]);
        return [
          path,
          `bb="${[left, low, end, top].map(digits).join(',')}"; lp="${label}"`,
        ] as const;
      }),
    ),
  };
}

/** Places a stack's rows below a point and returns the rectangle that they cover. */
async function pile(
  whole: Outline,
  { path, rows }: Stack,
  [left, top]: Point,
  placed: Placed,
  layout: Layout,
): Promise<Rectangle> {
  let [right, y] = [left, top + gap];
  for (const row of rows) {
    y -= gap;
    if ('path' in row) {
      const inner = await pile(whole, row, [left + inset, y - header], placed, layout);
      const block = { left, right: inner.right + inset, top: y, bottom: inner.bottom - inset };
      placed.clusters.set(row.path, block);
      placed.stacks.add(row.path);
      [right, y] = [Math.max(right, block.right), block.bottom];
    } else {
      const { width, height, ...parts } = await rowLayout(whole, layout, row, path);
      y -= height;
      const covered = { left, bottom: y, right: left + width, top: y + height };
      for (const [index, box] of parts.boxes) {
        placed.boxes.set(index, moved(box, left, y));
        placed.rows.set(index, covered);
      }
      for (const [cluster, place] of parts.clusters) {
        placed.clusters.set(cluster, moved(place, left, y));
      }
      for (const [index, arrow] of parts.arrows)
        placed.arrows.set(index, movedSpline(arrow, left, y));
      right = Math.max(right, covered.right);
    }
  }
  return { left, bottom: y, right, top };
}

/**
 * Corners of the arrow from a box to one in a later row: right out of its row, down, left through the gap above the other
 * row, down, and right into the box. The arrow leaves or enters vertically if other boxes of the row are in its way.
 */
function connector(whole: Outline, placed: Placed, from: number, to: number): Point[] {
  const [start, end] = [at(placed.boxes, from), at(placed.boxes, to)];
  const [startRow, endRow] = [at(placed.rows, from), at(placed.rows, to)];
  const [startY, endY] = [start, end].map(({ bottom, top }) => (bottom + top) / 2);
  const entered = [...placed.stacks].filter((path) => {
    return holds(path, whole.boxes[to].path) && !holds(path, whole.boxes[from].path);
  });
  const lane =
    gap / 2 + Math.max(endRow.top, ...entered.map((path) => at(placed.clusters, path).top));
  const rowOf = (row: Rectangle): Rectangle[] =>
    [...placed.boxes].flatMap(([index, box]) => (placed.rows.get(index) === row ? [box] : []));
  const isLast = rowOf(startRow).every(({ left }) => left < start.right);
  const isFirst = rowOf(endRow).every(({ right }) => right > end.left);
  const middle = ({ left, right }: Rectangle): number => (left + right) / 2;
  const out: Point[] = isLast
    ? [
        [start.right, startY],
        [startRow.right + turn, startY],
        [startRow.right + turn, lane],
      ]
    : [
        [middle(start), start.bottom],
        [middle(start), lane],
      ];
  const into: Point[] = isFirst
    ? [
        [endRow.left - turn, lane],
        [endRow.left - turn, endY],
        [end.left, endY],
      ]
    : [
        [middle(end), lane],
        [middle(end), end.top],
      ];
  return [...out, ...into];
}

function holds(block: string, path: string): boolean {
  return path.startsWith(`${block}/`);
}

/** A line with rounded corners and an arrowhead at its end, as Graphviz writes splines. */
function spline(corners: readonly Point[]): string {
  const tip = corners[corners.length - 1];
  const line = [...corners.slice(0, -1), towards(tip, corners[corners.length - 2], arrowhead)];
  const points: Point[] = [line[0]];
  const straightTo = (end: Point): void => {
    const start = points[points.length - 1];
    points.push(
      towards(start, end, length(start, end) / 3),
      towards(end, start, length(start, end) / 3),
      end,
    );
  };
  for (const [index, corner] of line.slice(1, -1).entries()) {
    const [before, after] = [line[index], line[index + 2]];
    const radius = Math.min(6, length(before, corner) / 2, length(corner, after) / 2);
    straightTo(towards(corner, before, radius));
    points.push(corner, corner, towards(corner, after, radius));
  }
  straightTo(line[line.length - 1]);
  return `e,${point(tip)} ${points.map(point).join(' ')}`;
}

function length([x, y]: Point, [otherX, otherY]: Point): number {
  return Math.hypot(otherX - x, otherY - y);
}

/** The point at a distance from `start` on the way to `end`. */
function towards(start: Point, end: Point, distance: number): Point {
  const share = distance / Math.max(length(start, end), 1e-6);
  return [start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])];
}

function moved({ left, bottom, right, top }: Rectangle, x: number, y: number): Rectangle {
  return { left: left + x, bottom: bottom + y, right: right + x, top: top + y };
}

function movedSpline(pos: string, dx: number, dy: number): string {
  return pos.replaceAll(/(-?[\d.]+),(-?[\d.]+)/g, (_, x: string, y: string) => {
    return point([Number(x) + dx, Number(y) + dy]);
  });
}

function point([x, y]: Point): string {
  return `${digits(x)},${digits(y)}`;
}

function digits(value: number): string {
  return String(Number(value.toFixed(2)));
}

function at<K, V>(map: ReadonlyMap<K, V>, key: K): V {
  const value = map.get(key);
  if (value === undefined) throw new Error(`the drawing has no entry for ${String(key)}`);
  return value;
}
