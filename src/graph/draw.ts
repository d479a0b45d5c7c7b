import { closeBlocks } from './blocks';
import type { ClosedBlocks } from './blocks';
import { outline } from './outline';
import { rowLayout } from './row-layout';
import type { OutlineOptions } from './outline';
import type { Graph, Layer } from './spec';
import { layOut, svg } from './svg';
import { readable, wrap } from './wrap';

/** Options of {@link draw}. */
export interface DrawOptions extends OutlineOptions {
  /** Blocks that are drawn as one box. Default: those that repeat others, if the network is wider than a row. */
  readonly closed?: ClosedBlocks;
}

/**
 * Draws a network as an SVG picture with a legend, at most 838 px wide. A wider network is broken into rows, and a block
 * that repeats an earlier one is drawn as one box that names it.
 *
 * @throws GraphError if Graphviz cannot lay it out
 * @example
 * ```ts
 * await writeFile('net.svg', await draw(build(net()), { name: 'my network' }));
 * ```
 */
export async function draw(
  graph: Graph<Layer>,
  { closed, ...options }: DrawOptions = {},
): Promise<string> {
  const whole = outline(graph, options);
  const line = await rowLayout(whole, layOut);
  const blocks = closed ?? (await readable(whole, layOut, line));
  const shown = blocks.size === 0 ? whole : closeBlocks(whole, blocks);
  const { text, engine } = await wrap(shown, layOut, shown === whole ? line : undefined);
  return svg(text, engine);
}
