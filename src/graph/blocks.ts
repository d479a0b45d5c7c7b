import { ancestors, lastPart } from './node-path';
import type { Box, Outline } from './outline';

/** Blocks to be drawn as one box: their paths, and for each the block that it is like, if there is one. */
export type ClosedBlocks = ReadonlyMap<string, string | undefined>;

/**
 * An outline in which some blocks are closed: one box stands for all nodes of a block, and arrows that begin or end in it are
 * drawn once. The kinds of hidden nodes leave the legend.
 *
 * A block inside another closed block, or one that this outline does not have, changes nothing.
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
 * The blocks of five nodes and more that repeat an earlier one, and the path of that one: the same names, colours and arrows
 * inside. Their numbers of channels may differ. Blocks inside a repeated block are left out.
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
