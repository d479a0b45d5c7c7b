import { describe, expect, test } from 'vitest';
import { closeBlocks } from './blocks';
import { build } from './build';
import { outline } from './outline';
import type { Outline } from './outline';
import { rowLayout } from './row-layout';
import type { Layer, Net } from './spec';
import { layOut } from './svg';
import { readable, wrap } from './wrap';
import type { WrappedDrawing } from './wrap';

const conv: Layer = { kind: 'conv' };
const bn: Layer = { kind: 'batch-norm' };
const relu: Layer = { kind: 'relu' };
const add: Layer = { kind: 'add' };

const block: Net<Layer> = {
  bn1: bn,
  relu1: relu,
  branch: { conv1: conv, bn2: bn, relu2: relu, conv2: conv },
  add: [add, ['relu1', 'branch/conv2']],
};
const stage: Net<Layer> = { block0: block, block1: block };
/** Four stages of two residual blocks between two convolutions. */
const deep: Net<Layer> = {
  prep: { conv },
  layer1: stage,
  layer2: stage,
  layer3: stage,
  layer4: stage,
  logits: conv,
};

const wrapped = async (whole: Outline): Promise<WrappedDrawing> =>
  wrap(whole, layOut, await rowLayout(whole, layOut));

interface Box {
  readonly name: string;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  readonly top: number;
}

/** What Graphviz draws, in points. */
async function drawn(net: Net<Layer>, closed = new Map<string, undefined>()) {
  const { text, engine } = await wrapped(closeBlocks(outline(build(net)), closed));
  const json = JSON.parse(await layOut(text, 'json', engine)) as {
    readonly bb: string;
    readonly objects: readonly Record<'name' | 'pos' | 'width' | 'height' | 'bb', string>[];
    readonly edges: readonly {
      readonly tail: number;
      readonly head: number;
      readonly pos: string;
    }[];
  };
  const boxes = json.objects.map(({ name, pos, width, height, bb }): Box => {
    if (bb !== undefined) {
      const [left, bottom, right, top] = bb.split(',').map(Number);
      return { name, left, bottom, right, top };
    }
    const [x, y] = pos.split(',').map(Number);
    const [w, h] = [36 * Number(width), 36 * Number(height)];
    return { name, left: x - w, right: x + w, bottom: y - h, top: y + h };
  });
  const [left, bottom, right, top] = json.bb.split(',').map(Number);
  return { engine, boxes, width: right - left, height: top - bottom, edges: json.edges };
}

const isNode = ({ name }: Box): boolean => !name.startsWith('cluster_');

describe('a network that is wider than a column of text', () => {
  test('is broken into rows that fit, in reading order', async () => {
    const { boxes, width, engine } = await drawn(deep);
    expect(engine).toBe('nop2');
    // 838 px are 628.5 points; a drawing has a border of 8.6 points on both sides.
    expect(width).toBeLessThanOrEqual(628.5 - 2 * 8.64);
    const read = boxes.filter(isNode).toSorted((a, b) => {
      const isSameRow = a.bottom < b.top && b.bottom < a.top;
      return isSameRow ? a.left - b.left : b.top - a.top;
    });
    const stages = read.map(({ name }) => name.split('/').slice(0, 2).join('/'));
    expect([...new Set(stages)]).toEqual([
      'input',
      'prep/conv',
      ...[1, 2, 3, 4].flatMap((layer) => [`layer${layer}/block0`, `layer${layer}/block1`]),
      'logits',
    ]);
  });

  test('has no overlapping boxes, and every box inside its blocks', async () => {
    const { boxes } = await drawn(deep);
    const nodes = boxes.filter(isNode);
    const overlaps = nodes.flatMap((a, index) =>
      nodes.slice(index + 1).flatMap((b) => {
        const isApart =
          a.right < b.left || b.right < a.left || a.top < b.bottom || b.top < a.bottom;
        return isApart ? [] : [[a.name, b.name]];
      }),
    );
    expect(overlaps).toEqual([]);
    for (const around of boxes.filter((box) => !isNode(box))) {
      const path = around.name.replace('cluster_', '');
      for (const { name, left, right, bottom, top } of boxes) {
        const own = name.replace('cluster_', '');
        const isInside =
          left > around.left && right < around.right && bottom > around.bottom && top < around.top;
        expect([own, path, own.startsWith(`${path}/`)]).toEqual([own, path, isInside]);
      }
    }
  });

  test('has every arrow, from the border of one box to the border of another', async () => {
    const { boxes, edges } = await drawn(deep);
    expect(edges).toHaveLength(outline(build(deep)).arrows.length);
    const isAt = (x: number, y: number, { left, right, bottom, top }: Box): boolean =>
      x > left - 4 && x < right + 4 && y > bottom - 4 && y < top + 4;
    for (const { tail, head, pos } of edges) {
      const points = [...pos.matchAll(/(-?[\d.]+),(-?[\d.]+)/g)].map(([, x, y]) => [
        Number(x),
        Number(y),
      ]);
      const [tip, start] = points;
      expect(isAt(tip[0], tip[1], boxes[head])).toBe(true);
      expect(isAt(start[0], start[1], boxes[tail])).toBe(true);
    }
  });

  test('closes the blocks that repeat others, and then fits on a screen', async () => {
    const closed = await readable(outline(build(deep)), layOut);
    expect([...closed.keys()]).toEqual(['layer1/block1', 'layer2', 'layer3', 'layer4']);
    const { width, height } = await drawn(deep, closed as Map<string, undefined>);
    expect(width).toBeLessThan(611);
    expect(height).toBeLessThan(250);
  });
});

test('a network that fits stays in one row, with every block open', async () => {
  const small = { prep: { conv, bn, relu }, block };
  const { boxes, engine, width } = await drawn(small);
  expect(engine).toBe('dot');
  expect(width).toBeLessThan(611);
  const order = boxes.filter(isNode).map(({ left }) => left);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect((await readable(outline(build(small)), layOut)).size).toBe(0);
});

test('a network that cannot be broken into rows runs from top to bottom', async () => {
  const layers = Array.from({ length: 20 }, (_, at) => {
    return [`mix${at}`, [add, at === 0 ? [-1] : ['input', `mix${at - 1}`]]] as const;
  });
  const { engine, width, height } = await drawn({
    input: [null, []],
    ...Object.fromEntries(layers),
  });
  expect(engine).toBe('dot');
  expect(height).toBeGreaterThan(width);
});

test('the same network gives the same text', async () => {
  const whole = outline(build(deep));
  expect(await wrapped(whole)).toEqual(await wrapped(whole));
});
