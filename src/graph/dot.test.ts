import { Graphviz } from '@hpcc-js/wasm-graphviz';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { build } from './build';
import { colourMap } from './colours';
import { describe as describeLayer } from './describe';
import { counts, dot } from './dot';
import type { Layer, Net } from './spec';

const conv: Layer & { readonly cin: number } = { kind: 'conv', cin: 3 };
const relu: Layer = { kind: 'relu' };
const add: Layer = { kind: 'add' };

const net: Net<Layer> = {
  prep: { conv, relu },
  block: { inner: { conv, sum: [add, ['conv', '../../prep/relu']] }, last: relu },
  out: relu,
};

test('writes this text', () => {
  const cell = (kind: string, fill: string): string =>
    `<TD BGCOLOR="${fill}"><FONT COLOR="#1b1b1b">&#160;${kind}&#160;</FONT></TD>`;
  const cells = cell('conv', '#bebada') + cell('relu', '#ffffb3') + cell('add', '#fb8072');
  const legend = `<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="4" CELLPADDING="4" COLOR="#00000055"><TR>${cells}</TR></TABLE>`;
  expect(dot(build(net), { name: 'small' })).toBe(`digraph "small" {
  rankdir=LR; nodesep=0.14; ranksep=0.2; pad=0.12; bgcolor="#ffffff";
  fontname="Helvetica,Arial,sans-serif"; fontsize=10; fontcolor="#3d3d3d"; color="#77777788";
  node [shape=box, style="rounded,filled", fontname="Helvetica,Arial,sans-serif", fontsize=11,
    width=0.4, height=0.29, margin="0.09,0.04", color="#00000055", penwidth=0.8];
  edge [color="#5a5a5a", arrowsize=0.6, penwidth=1];
  "input" [label="input", fillcolor="#ffffff", fontcolor="#1b1b1b", tooltip="fed by the caller"];
  subgraph "cluster_prep" {
    label="prep"; tooltip="prep";
    style="rounded,filled"; fillcolor="#77777744"; margin=6;
    "prep/conv" [label="conv", fillcolor="#bebada", fontcolor="#1b1b1b", tooltip="conv(cin=3)"];
    "prep/relu" [label="relu", fillcolor="#ffffb3", fontcolor="#1b1b1b", tooltip="relu"];
  }
  subgraph "cluster_block" {
    label="block"; tooltip="block";
    style="rounded,filled"; fillcolor="#77777744"; margin=6;
    subgraph "cluster_block/inner" {
      label="inner"; tooltip="block/inner";
      style="rounded,filled"; fillcolor="#77777744"; margin=6;
      "block/inner/conv" [label="conv", fillcolor="#bebada", fontcolor="#1b1b1b", tooltip="conv(cin=3)"];
      "block/inner/sum" [label="sum", fillcolor="#fb8072", fontcolor="#1b1b1b", tooltip="add"];
    }
    "block/last" [label="last", fillcolor="#ffffb3", fontcolor="#1b1b1b", tooltip="relu"];
  }
  "out" [label="out", fillcolor="#ffffb3", fontcolor="#1b1b1b", tooltip="relu"];
  "input" -> "prep/conv";
  "prep/conv" -> "prep/relu";
  "prep/relu" -> "block/inner/conv";
  "block/inner/conv" -> "block/inner/sum";
  "prep/relu" -> "block/inner/sum";
  "block/inner/sum" -> "block/last";
  "block/last" -> "out";
  label=<${legend}>; labelloc=b; labeljust=l;
}
`);
});

test('takes colours from the caller; kinds without one are white', () => {
  const shared = colourMap(build({ add, relu }));
  const text = dot(build(net), { colours: shared });
  expect(text).toContain('"out" [label="out", fillcolor="#ffffb3"');
  expect(text).toContain('"block/inner/sum" [label="sum", fillcolor="#bebada"');
  expect(text).toContain('"prep/conv" [label="conv", fillcolor="#ffffff"');
});

test('counts', () => {
  expect(counts(build(net))).toEqual({ nodes: 7, edges: 7, clusters: 3 });
  expect(counts(build({}))).toEqual({ nodes: 1, edges: 0, clusters: 0 });
  expect(counts(build({ a: { b: { c: relu } }, sum: [add, [-1, -1]] }))).toEqual({
    nodes: 3,
    edges: 3,
    clusters: 2,
  });
});

describe('description of a layer', () => {
  test.each([
    [relu, 'relu'],
    [
      { kind: 'conv', cin: 3, cout: 64, size: 3, stride: 1, padding: 1, bias: false },
      'conv(cin=3, cout=64, size=3, stride=1, padding=1, bias=false)',
    ],
    [{ kind: 'mul', weight: 1 / Math.sqrt(2) }, 'mul(weight=0.707107)'],
    [{ kind: 'pool', size: [2, 2], mode: 'max', extra: undefined }, 'pool(size=[2, 2], mode=max)'],
    [{ kind: 'whiten', weights: new Float32Array(729) }, 'whiten(weights=[729 values])'],
    [{ kind: 'x', inner: { a: 1, b: [null] } }, 'x(inner={a=1, b=[null]})'],
  ] as readonly [Layer, string][])('%j', (layer, expected) => {
    expect(describeLayer(layer)).toBe(expected);
  });
});

test('a node whose name starts with a percent sign gets an id that Graphviz keeps', async () => {
  const graphviz = await Graphviz.load();
  const json = graphviz.layout(dot(build({ '%a': relu, '%b': relu })), 'dot_json', 'nop');
  const { objects } = JSON.parse(json) as {
    readonly objects: readonly { readonly name: string }[];
  };
  expect(objects.map(({ name }) => name)).toEqual(['input', './%a', './%b']);
});

test('any name and parameter survives Graphviz unchanged', async () => {
  const graphviz = await Graphviz.load();
  // Excludes the names that build refuses. Labels are not trimmed.
  const name = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }).filter((text) => {
    return !/[/\\"\p{Cc}]|^\.\.?$|^\d+$|^__proto__$|^input$/u.test(text);
  });
  const value = fc.string({ maxLength: 12 }).map((text) => text.replaceAll(/[\r\n]/g, ' '));
  fc.assert(
    fc.property(name, name, value, (block, node, parameter) => {
      const graph = build({ [block]: { [node]: { kind: 'conv', parameter } as Layer } });
      const json = graphviz.layout(dot(graph), 'dot_json', 'nop');
      const { objects } = JSON.parse(json) as {
        readonly objects: readonly Record<string, string>[];
      };
      const id = block.startsWith('%') ? `./${block}/${node}` : `${block}/${node}`;
      const drawn = objects.find((object) => object.name === id);
      const unescape = (text: string): string =>
        text.replaceAll('&amp;', '&').replaceAll(/\\(.)/g, '$1');
      expect(unescape(drawn?.label ?? '')).toBe(node);
      expect(unescape(drawn?.tooltip ?? '')).toBe(`conv(parameter=${parameter})`);
      expect(objects.map((object) => object.name)).toContain(`cluster_${block}`);
    }),
  );
});
