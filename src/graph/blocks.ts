import { ancestors, lastPart } from './node-path';
import type { Box, Outline } from './outline';

/** Blocks drawn as one box, by path, each with the path of the block that it repeats, if any. */
export type ClosedBlocks = ReadonlyMap<string, string | undefined>;

/**
 * Closes blocks of an outline: one box replaces all nodes of a block, and parallel arrows to or from it are drawn once. Kinds
 * that are no longer visible leave the legend.
 *
 * Ignores blocks inside another closed block and blocks that the outline does not have.
 */
export function closeBlocks(whole: Outline, closed: ClosedBlocks): Outline {
  const boxes: Box[] = [];
  const fills = new Set<string>();
  const places = new Map<string, number>();
  const newIndex = whole.boxes.map((box) => {
    const block = ancestors(box.path).find((path) => closed.has(path));
    const known = block === undefined ? undefined : places.get(block);
    if (known !== undefined) return known;
    if (block === undefined) fills.add(box.fill);
    else places.set(block, boxes.length);
    return boxes.push(block === undefined ? box : closedBox(whole, block, closed.get(block))) - 1;
  });
  const seen = new Set<string>();
  const arrows = whole.arrows.flatMap(([from, to]) => {
    const arrow = [newIndex[from], newIndex[to]] as const;
    const isAtBlock = arrow.some((index) => boxes[index].isBlock);
    const key = arrow.join(' ');
    if (isAtBlock && (arrow[0] === arrow[1] || seen.has(key))) return [];
    seen.add(key);
    return [arrow];
  });
  return { ...whole, boxes, arrows, legend: whole.legend.filter(({ fill }) => fills.has(fill)) };
}

function closedBox({ boxes }: Outline, block: string, like: string | undefined): Box {
  const count = boxes.filter(({ path }) => path.startsWith(`${block}/`)).length;
  const name = lastPart(block);
  return {
    path: block,
    label: like === undefined ? `+ ${name}` : `${name} as ${like}`,
    fill: grey,
    ink: '#1b1b1b',
    tooltip: `${count} nodes${like === undefined ? '' : `, as in ${like}`}`,
    isBlock: true,
  };
}

/**
 * The blocks of at least five nodes that repeat an earlier one, with the path of that one: they have the same names, colours
 * and inner arrows. Their numbers of channels may differ. Blocks inside a repeated block are omitted.
 */
export function repeatedBlocks({ boxes, arrows }: Outline): ClosedBlocks {
  const repeated = new Map<string, string>();
  const shapes = new Map<string, string>();
  for (const block of new Set(boxes.flatMap(({ path }) => ancestors(path)))) {
    if (ancestors(block).some((path) => repeated.has(path))) continue;
    const names = boxes.map(({ path }) => {
      return path.startsWith(`${block}/`) ? path.slice(block.length) : undefined;
    });
    const nodes = boxes.flatMap(({ fill }, index) =>
      names[index] === undefined ? [] : [[names[index], fill]],
    );
    if (nodes.length < 5) continue;
    const inside = arrows
      .map(([from, to]) => [names[from], names[to]])
      .filter((ends) => ends.every((end) => end !== undefined));
    const shape = JSON.stringify([nodes, inside]);
    const first = shapes.get(shape);
    if (first === undefined) shapes.set(shape, block);
    else repeated.set(block, first);
  }
  return repeated;
}

const grey = '#d0d0d0';
