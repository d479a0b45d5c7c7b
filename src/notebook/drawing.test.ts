import { Script } from 'node:vm';
import { Graphviz } from '@hpcc-js/wasm-graphviz';
import { PNG } from 'pngjs';
import { describe, expect, test } from 'vitest';
import * as blocks from '../graph/blocks';
import { build } from '../graph/build';
import { colourMap } from '../graph/colours';
import { draw } from '../graph/draw';
import { outline } from '../graph/outline';
import type { Outline } from '../graph/outline';
import { layOut } from '../graph/svg';
import * as wrapping from '../graph/wrap';
import { resnet9 } from '../models/resnet9';
import { animateDrawings } from './animate';
import { drawing } from './drawing';
import { drawingPage } from './drawing-page';

const graph = build(resnet9({ resLayers: [] }));
const next = build(resnet9());

/** Runs the scripts of an output, which write to `window`. */
function runScripts(html: string, window: object): void {
  for (const [, code] of html.matchAll(/<script>([\s\S]*?)<\/script>/g)) {
    new Script(code).runInNewContext({ window });
  }
}

interface Asked {
  readonly id: string;
  readonly now: Outline;
  readonly before?: Outline;
}

describe('drawing', () => {
  test('is the picture that the command line draws, even without scripts', async () => {
    const { bundle, metadata } = await drawing(graph, { name: 'backbone' });
    const html = bundle['text/html'] as string;
    const encoded = /<img [^>]*src="data:image\/svg\+xml;base64,([^"]*)"/.exec(html)?.[1] ?? '';
    const expected = await draw(graph, { name: 'backbone' });
    expect(Buffer.from(encoded, 'base64').toString()).toBe(expected);
    expect(bundle['text/plain']).toBe('backbone: 20 nodes, 19 edges, 4 clusters');
    const { width } = PNG.sync.read(bundle['image/png'] as Buffer);
    expect(metadata?.['image/png']).toMatchObject({ width: width / 2 });
  });

  test('queues itself to be drawn by the page', async () => {
    const { bundle } = await drawing(next, { from: graph, name: 'a </script> b' });
    const html = bundle['text/html'] as string;
    const window: { cifar10FastDrawings?: Asked[] } = {};
    runScripts(html, window);
    expect(window.cifar10FastDrawings).toHaveLength(1);
    const [{ id, ...asked }] = window.cifar10FastDrawings ?? [];
    // Kinds of layers keep their colours during the change; they are those of the picture.
    const options = { name: 'a </script> b', colours: colourMap(next, graph) };
    expect(asked).toEqual({ now: outline(next, options), before: outline(graph, options) });
    expect(html).toContain(`data-drawing="${id}"`);
    const other = await drawing(next, { name: options.name });
    expect(other.bundle['text/html']).not.toContain(id);
  });

  test('of an unchanged network is a line of text', async () => {
    const { bundle } = await drawing(next, { from: build(resnet9()), name: 'half the rate' });
    expect(Object.keys(bundle)).toEqual(['text/html', 'text/plain']);
    expect(bundle['text/plain']).toBe(
      'half the rate: all layers equal those of the previous network, so it is not drawn again.',
    );
    const wider = build(resnet9({ channels: { prep: 64, layer1: 128, layer2: 256, layer3: 256 } }));
    const changed = await drawing(wider, { from: next });
    expect(changed.bundle['image/png']).toBeDefined();
  });
});

/** Runs the script in a page with one box and the real Graphviz; returns the texts that d3-graphviz gets. */
async function pageWith(asked: Asked): Promise<readonly string[]> {
  const graphviz = await Graphviz.load();
  const drawn: string[] = [];
  const ends: (() => void)[] = [];
  const viz = {
    layoutSync: (text: string, format: 'json' | 'svg', engine: 'dot' | 'nop2') =>
      graphviz.layout(text, format, engine),
    on: (_event: string, run: () => void) => (ends.push(run), viz),
    onerror: () => viz,
    engine: () => viz,
    zoomBehavior: () => undefined,
    renderDot: (text: string) => {
      drawn.push(text);
      ends.at(-1)?.();
    },
  };
  const element = () => ({ style: {}, dataset: {}, children: [], append() {}, remove() {} });
  await new Promise<void>((resolve, reject) => {
    const box = { ...element(), addEventListener: () => resolve() };
    const globals = {
      window: { cifar10FastDrawings: [asked] },
      document: {
        head: element(),
        createElement: element,
        querySelectorAll: () => [box],
      },
      matchMedia: () => ({ matches: true }),
      console: { warn: (_message: string, error: Error) => reject(error) },
    };
    const libraries = {
      'd3-selection': { select: () => ({ graphviz: () => viz }) },
      'd3-ease': {},
      'd3-transition': {},
      'd3-graphviz': {},
      './blocks': blocks,
      './wrap': wrapping,
    };
    const sources = Object.fromEntries(
      Object.entries(libraries).map(([name, library]) => [
        name,
        (exports: object) => Object.assign(exports, library),
      ]),
    );
    const run = new Script(`(${drawingPage})`).runInNewContext(globals) as (given: object) => void;
    run(sources);
  });
  return drawn;
}

test('the page lays out a drawing like the picture', async () => {
  for (const network of [graph, next]) {
    const now = outline(network, { name: 'a', colours: colourMap(network) });
    const shown = blocks.closeBlocks(now, await wrapping.readable(now, layOut));
    const { text } = await wrapping.wrap(shown, layOut);
    expect(await pageWith({ id: '1', now })).toEqual([text]);
  }
});

describe('animateDrawings', () => {
  test('includes d3-graphviz and all its dependencies, in a script that does not end early', async () => {
    const { bundle } = await animateDrawings();
    const html = bundle['text/html'] as string;
    expect(html.match(/<\/script/g)).toHaveLength(1);
    const code = /<script>([\s\S]*)<\/script>/.exec(html)?.[1] ?? '';
    expect(() => new Script(code)).not.toThrow();
    // The page gets the libraries as functions, each under the name with which the others require it.
    const named = new Set(
      [...code.matchAll(/^(?:.*\(\{)?"(d3-[a-z]+|\.\/[a-z-]+)"\(exports/gm)].map(
        ([, name]) => name,
      ),
    );
    const asked = [...code.matchAll(/require\("(d3-[a-z]+|\.[^"]*)"\)/g)].map(([, name]) => name);
    expect(asked.filter((name) => !named.has(name))).toEqual([]);
    expect(named.size).toBe(18);
  });
});
