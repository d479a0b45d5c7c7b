import { counts } from '../graph/dot';
import { draw } from '../graph/draw';
import { colourMap } from '../graph/colours';
import { outline } from '../graph/outline';
import type { Graph, Layer } from '../graph/spec';
import { sentence } from './figure';
import type { Figure } from './figure';
import { liveHtml } from './live-html';
import { raster, rasterMetadata } from './raster';

/** How a network becomes a {@link drawing}. */
export interface DrawingOptions {
  /** Name of the network; shown where no picture can be. */
  readonly name?: string;
  /** The network that changes into this one in a browser: boxes of the same path move, others appear and disappear. */
  readonly from?: Graph<Layer>;
  /** Fill of each kind of layer. Pass a `colourMap` of several networks to use the same colours in all their drawings. */
  readonly colours?: ReadonlyMap<string, string>;
}

/**
 * Draws a network as `cifar10-fast draw` does: no wider than a page, a block that repeats another as one box, and a legend.
 * If all layers equal those of `from`, the figure is a line of text that says so.
 *
 * The drawing is a picture everywhere. In a notebook that has shown {@link animateDrawings}, d3-graphviz redraws it in the
 * browser: blocks open and close on a click, the drawing can be moved and zoomed, and `from` changes into this network.
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
      `${name}: all layers equal those of the previous network, so it is not drawn again.`,
    );
  }
  const picture = await draw(graph, options);
  const small = await raster(picture);
  const { nodes, edges, clusters } = counts(graph);
  const text = `${name}: ${nodes} nodes, ${edges} edges, ${clusters} clusters`;
  return {
    bundle: {
      'text/html': liveHtml({
        kind: 'drawing',
        queue: 'cifar10FastDrawings',
        spec: { now, before },
        alt: text,
        src: `data:image/svg+xml;base64,${Buffer.from(picture).toString('base64')}`,
        size: 'style="max-width:100%"',
      }),
      'image/png': small.png,
      'text/plain': text,
    },
    metadata: rasterMetadata(small),
  };
}
