import { nodeName, outlineDot } from './outline-dot';
import type { Outline } from './outline';

/** `dot` places everything; `nop2` draws what is already placed. */
export type Engine = 'dot' | 'nop2';

/** Graphviz: lays text out with an engine and returns the result in a format. */
export type Layout = (
  text: string,
  format: 'json' | 'svg',
  engine: Engine,
) => string | Promise<string>;

/** A rectangle in points; y points up, as in Graphviz. */
export interface Rectangle {
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
  readonly top: number;
}

/** Where Graphviz puts the boxes of a row. The lower left corner of the row is the origin. */
export interface RowLayout {
  readonly width: number;
  readonly height: number;
  /** By the box's index in the whole outline. */
  readonly boxes: ReadonlyMap<number, Rectangle>;
  readonly clusters: ReadonlyMap<string, Rectangle>;
  /** Splines by the arrow's index in the whole outline, in Graphviz's notation. */
  readonly arrows: ReadonlyMap<number, string>;
}

interface GraphvizJson {
  readonly bb: string;
  readonly objects?: readonly GraphvizObject[];
  readonly edges?: readonly {
    readonly tail: number;
    readonly head: number;
    readonly pos: string;
  }[];
}

interface GraphvizObject {
  readonly name: string;
  readonly bb?: string;
  readonly pos?: string;
  /** Inches, as is `height`. */
  readonly width?: string;
  readonly height?: string;
}

/**
 * Lays out some of an outline's boxes, and the arrows between them, in a row.
 *
 * @param members indices of the boxes. Default: all.
 * @param root the dictionary that holds them all. Default: the whole network.
 */
export async function rowLayout(
  whole: Outline,
  layout: Layout,
  members: readonly number[] = whole.boxes.map((_, index) => index),
  root = '',
): Promise<RowLayout> {
  const places = new Map(members.map((index, at) => [index, at] as const));
  const inside = [...whole.arrows.keys()].filter((index) =>
    whole.arrows[index].every((end) => places.has(end)),
  );
  const row: Outline = {
    name: whole.name,
    boxes: members.map((index) => whole.boxes[index]),
    arrows: inside.map((index) => {
      const [from, to] = whole.arrows[index];
      return [places.get(from) ?? 0, places.get(to) ?? 0];
    }),
    legend: [],
  };
  const json = JSON.parse(await layout(outlineDot(row, { root }), 'json', 'dot')) as GraphvizJson;
  const { right: width, top: height } = rectangle(json.bb);
  const objects = json.objects ?? [];
  // Edges name their ends by index in the list of objects.
  const numbers = new Map(objects.map(({ name }, at) => [name, at] as const));
  const numberOf = (path: string): number => numbers.get(nodeName(path)) ?? -1;
  // Graphviz writes edges in its own order; those with the same ends are interchangeable.
  const edges = [...(json.edges ?? [])];
  const splineOf = (index: number): string => {
    const [tail, head] = whole.arrows[index].map((end) => numberOf(whole.boxes[end].path));
    const found = edges.findIndex((edge) => edge.tail === tail && edge.head === head);
    return edges.splice(found, 1)[0].pos;
  };
  return {
    width,
    height,
    boxes: new Map(
      members.map(
        (index) => [index, boxPlace(objects[numberOf(whole.boxes[index].path)])] as const,
      ),
    ),
    clusters: new Map(
      objects.flatMap(({ name, bb }) =>
        bb === undefined ? [] : [[name.replace(/^cluster_/, ''), rectangle(bb)] as const],
      ),
    ),
    arrows: new Map(inside.map((index) => [index, splineOf(index)] as const)),
  };
}

function rectangle(bb: string): Rectangle {
  const [left, bottom, right, top] = bb.split(',').map(Number);
  return { left, bottom, right, top };
}

/** A rectangle from a centre in points and sides in inches. */
function boxPlace({
  pos = '0,0',
  width = '0',
  height = '0',
}: Partial<GraphvizObject> = {}): Rectangle {
  const [x, y] = pos.split(',').map(Number);
  const [halfWidth, halfHeight] = [36 * Number(width), 36 * Number(height)];
  return { left: x - halfWidth, bottom: y - halfHeight, right: x + halfWidth, top: y + halfHeight };
}
