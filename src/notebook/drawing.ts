import { counts } from '../graph/dot';
import { draw } from '../graph/draw';
import { colourMap } from '../graph/colours';
import { outline } from '../graph/outline';
import type { Graph, Layer } from '../graph/spec';
import { sentence } from './figure';
import type { Figure } from './figure';
import { liveHtml } from './live-html';
import { raster, rasterMetadata } from './raster';

/** What can be chosen about a {@link drawing}. */
export interface DrawingOptions {
  /** What it is of; told where no picture can be shown. */
  readonly name?: string;
  /** The network that this one is to come out of, in a browser: boxes of the same path move, others come and go. */
  readonly from?: Graph<Layer>;
  /** Fill of each kind of layer, so that several drawings share them: `colourMap` of all of them. */
  readonly colours?: ReadonlyMap<string, string>;
}

/**
 * A network as a drawing, the same that `cifar10-fast draw` writes: no wider than a page, a block that repeats another as one
 * box, and a legend. A network that is equal to `from` in all its layers is not drawn again: a line of text says so.
 *
 * Everywhere it is a picture. In a notebook that has shown {@link animateDrawings} before, d3-graphviz draws it again in the
 * browser: blocks open and close on a click, the drawing can be moved and zoomed, and, with `from`, the network before
 * moves into this one.
 *
 * @throws GraphError if Graphviz cannot lay it out
 * @example
 * ```ts
 * await show(drawing(build(resnet9()), { name: 'ResNet-9' }));
 * ```
 */
export async function drawing(
  graph: Graph<Layer>,
  {
    name = 'network',
    from,
    colours = colourMap(graph, ...(from ? [from] : [])),
  }: DrawingOptions = {},
): Promise<Figure> {
  const options = { name, colours };
  const now = outline(graph, options);
  const before = from === undefined ? undefined : outline(from, options);
  if (JSON.stringify(now) === JSON.stringify(before)) {
    return sentence(
      `${name}: the network is the one before, layer by layer, so it is not drawn again.`,
    );
  }
  const picture = await draw(graph, options);
  const small = await raster(picture);
  const { nodes, edges, clusters } = counts(graph);
  const told = `${name}: ${nodes} nodes, ${edges} edges, ${clusters} clusters`;
  return {
    bundle: {
      'text/html': liveHtml({
        kind: 'drawing',
        queue: 'cifar10FastDrawings',
        spec: { now, before },
        alt: told,
        src: `data:image/svg+xml;base64,${Buffer.from(picture).toString('base64')}`,
        size: 'style="max-width:100%"',
      }),
      'image/png': small.png,
      'text/plain': told,
    },
    metadata: rasterMetadata(small),
  };
}
