import { expect, test } from 'vitest';
import { closeBlocks, repeatedBlocks } from './blocks';
import { build } from './build';
import { outline } from './outline';
import type { Layer, Net } from './spec';

const conv: Layer = { kind: 'conv' };
const relu: Layer = { kind: 'relu' };
const add: Layer = { kind: 'add' };
const residual: Net<Layer> = {
  relu,
  branch: { conv1: conv, conv2: conv, conv3: conv },
  add: [add, ['relu', 'branch/conv3']],
};
const net: Net<Layer> = {
  first: residual,
  second: residual,
  third: { ...residual, extra: conv },
  pair: [add, ['third/extra', 'second/add']],
};

test('repeatedBlocks maps a repeated block to the first one like it', () => {
  const found = repeatedBlocks(outline(build(net)));
  expect([...found]).toEqual([['second', 'first']]);
});

test('a block with different layers or arrows repeats nothing', () => {
  const other = { ...residual, add: [add, ['relu', 'branch/conv2']] as const };
  const another = { ...residual, relu: conv };
  expect(repeatedBlocks(outline(build({ first: residual, other, another }))).size).toBe(0);
});

test('a closed block is one box; its inner arrows disappear, those across its border are drawn once', () => {
  const whole = outline(build(net));
  const shown = closeBlocks(
    whole,
    new Map([
      ['second', 'first'],
      ['third', undefined],
    ]),
  );
  const paths = shown.boxes.map(({ path }) => path);
  expect(paths).toEqual([
    'input',
    'first/relu',
    'first/branch/conv1',
    'first/branch/conv2',
    'first/branch/conv3',
    'first/add',
    'second',
    'third',
    'pair',
  ]);
  expect(shown.boxes.slice(6, 8)).toMatchObject([
    { label: 'second as first', tooltip: '5 nodes, as in first', isBlock: true },
    { label: '+ third', tooltip: '6 nodes', isBlock: true },
  ]);
  const arrows = shown.arrows.map(([from, to]) => `${paths[from]} > ${paths[to]}`);
  expect(arrows).toEqual([
    'input > first/relu',
    'first/relu > first/branch/conv1',
    'first/branch/conv1 > first/branch/conv2',
    'first/branch/conv2 > first/branch/conv3',
    'first/relu > first/add',
    'first/branch/conv3 > first/add',
    'first/add > second',
    'second > third',
    'third > pair',
    'second > pair',
  ]);
});

test('an input that one node reads twice stays two arrows when a block is closed', () => {
  const whole = outline(
    build({ block: { relu, conv }, sum: [add, [-1, -1]], twice: [add, [-1, -1]] }),
  );
  const { boxes, arrows } = closeBlocks(whole, new Map([['block', undefined]]));
  expect(boxes.map(({ path }) => path)).toEqual(['input', 'block', 'sum', 'twice']);
  expect(arrows).toEqual([
    [0, 1],
    [1, 2],
    [2, 3],
    [2, 3],
  ]);
});

test('the outermost closed block hides those inside; hidden kinds leave the legend', () => {
  const whole = outline(build({ outer: { inner: { relu, conv }, conv }, last: add }));
  const shown = closeBlocks(
    whole,
    new Map([
      ['outer/inner', undefined],
      ['outer', undefined],
      ['none', undefined],
    ]),
  );
  expect(shown.boxes.map(({ path }) => path)).toEqual(['input', 'outer', 'last']);
  expect(shown.legend.map(({ kind }) => kind)).toEqual(['add']);
  expect(closeBlocks(whole, new Map())).toEqual(whole);
});
