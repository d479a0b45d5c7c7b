import { createHash } from 'node:crypto';
import { counts, dot } from '../graph/dot';
import { colourMap, escapeXml } from '../graph/colours';
import type { Graph, Layer } from '../graph/spec';
import { svg } from '../graph/svg';
import type { Figure } from './figure';
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
 * A network as a drawing, the same that `cifar10-fast draw` writes.
 *
 * Everywhere it is a picture. In a notebook that has shown {@link animateDrawings} before, d3-graphviz draws it anew in the
 * browser and, with `from`, moves the network before into this one as soon as it is looked at; a click shows it again.
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
  const text = dot(graph, options);
  const before = from === undefined ? undefined : dot(from, options);
  const picture = await svg(text);
  const small = await raster(picture);
  const { nodes, edges, clusters } = counts(graph);
  const told = `${name}: ${nodes} nodes, ${edges} edges, ${clusters} clusters`;
  const id = createHash('sha256').update(`${before}\n${text}`).digest('hex').slice(0, 16);
  const spec = JSON.stringify({ id, dot: text, ...(before === undefined ? {} : { from: before }) });
  return {
    bundle: {
      'text/html':
        `<div data-drawing="${id}"><img alt="${escapeXml(told)}" style="max-width:100%" ` +
        `src="data:image/svg+xml;base64,${Buffer.from(picture).toString('base64')}"></div>\n` +
        `<script>(window.cifar10FastDrawings ??= []).push(${forScript(spec)})</script>`,
      'image/png': small.png,
      'text/plain': told,
    },
    metadata: rasterMetadata(small),
  };
}

/** Text that may stand in a script element. */
function forScript(text: string): string {
  return text.replaceAll('<', String.raw`\u003c`);
}
