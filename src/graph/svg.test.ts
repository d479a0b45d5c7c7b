import { describe, expect, test } from 'vitest';
import { GraphError } from '../base/errors';
import { build } from './build';
import { dot } from './dot';
import { svg } from './svg';
import type { Layer, Net } from './spec';

const net: Net<Layer> = {
  block: { conv: { kind: 'conv', name: '<a & "b">' } as Layer, relu: { kind: 'relu' } },
  sum: [{ kind: 'add' }, ['block/conv', 'block/relu']],
};

/** The texts of the boxes and clusters, and all tooltips, in order of appearance. */
function read(picture: string): { readonly texts: string[]; readonly titles: string[] } {
  const all = (pattern: RegExp): string[] =>
    [...picture.matchAll(pattern)].map((match) => match[1]);
  return { texts: all(/<text [^>]*>([^<]*)<\/text>/g), titles: all(/<title>([^<]*)<\/title>/g) };
}

describe('svg', () => {
  test('shows every node, cluster and edge, each with its tooltip', async () => {
    const { texts, titles } = read(await svg(dot(build(net))));
    // The legend shows `conv`, `relu` and `add`.
    const legend = ['\u00a0add\u00a0', '\u00a0conv\u00a0', '\u00a0relu\u00a0'];
    const boxes = ['block', 'conv', 'input', 'relu', 'sum'];
    expect(texts.toSorted()).toEqual([...legend, ...boxes].toSorted());
    expect(titles).toHaveLength(9);
    expect(new Set(titles)).toEqual(
      new Set([
        'block',
        'block/conv → block/relu',
        'block/conv → sum',
        'block/conv: conv(name=&lt;a &amp; &quot;b&quot;&gt;)',
        'block/relu → sum',
        'block/relu: relu',
        'input → block/conv',
        'input: fed by the caller',
        'sum: add',
      ]),
    );
  });

  test('shows names that look like markup literally', async () => {
    const { texts } = read(
      await svg(dot(build({ 'a&lt;b': { kind: 'x' }, '<i>': { kind: 'x' } }))),
    );
    expect(new Set(texts)).toEqual(new Set(['input', 'a&amp;lt;b', '&lt;i&gt;', '\u00a0x\u00a0']));
  });

  test('same text, same bytes', async () => {
    const text = dot(build(net));
    const first = await svg(text);
    await svg('digraph { other }');
    expect(await svg(text)).toBe(first);
  });

  test('works as a file and beside others in a page', async () => {
    const picture = await svg(dot(build(net), { name: 'a $& "b"' }));
    expect(picture).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" class="net-drawing"/);
    expect(picture.trimEnd()).toMatch(/<\/svg>$/);
    expect(picture).toContain('aria-label="a $&amp; &quot;b&quot;"');
    expect(picture).not.toMatch(/ id=|xlink|<!--|<a[ >]|<\/a>/);
    expect(picture.match(/<g[ >]/g)?.length).toBe(picture.match(/<\/g>/g)?.length);
  });

  test('has a backdrop, and turns text, arrows and backdrop dark together', async () => {
    const picture = await svg(dot(build(net)));
    expect(picture).toMatch(/<polygon class="backdrop" fill="#ffffff"/);
    const dark = /@media \(prefers-color-scheme: dark\) \{([\s\S]*?)\n\}/.exec(picture)?.[1];
    expect(dark?.match(/^\.net-drawing [.a-z ]+/gm)).toEqual([
      '.net-drawing .backdrop ',
      '.net-drawing .cluster text ',
      '.net-drawing .edge path ',
      '.net-drawing .edge polygon ',
    ]);
  });

  test('draws plain Graphviz text without tooltips', async () => {
    const { texts, titles } = read(await svg('digraph { a -> b }'));
    expect(texts).toEqual(['a', 'b']);
    expect(titles).toEqual(['a', 'b', 'a → b']);
  });

  test('refuses what Graphviz cannot read, with its message', async () => {
    const failure = await svg('digraph { a -> }').catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(GraphError);
    expect((failure as Error).message).toMatch(
      /^svg: Graphviz cannot read the drawing \(.*syntax error.*\)\. Give it the text that dot\(\) returns\.$/s,
    );
    expect((failure as Error).cause).toBeInstanceOf(Error);
    expect(await svg('digraph { a -> b }')).toContain('</svg>');
  });
});
