import { closeBlocks } from './blocks';
import type { ClosedBlocks } from './blocks';
import { outline } from './outline';
import { rowLayout } from './row-layout';
import type { OutlineOptions } from './outline';
import type { Graph, Layer } from './spec';
import { graphviz, svg } from './svg';
import { readable, wrap } from './wrap';

/** What can be chosen about {@link draw}. */
export interface DrawOptions extends OutlineOptions {
  /** Blocks that are drawn as one box. Default: those that repeat others, if the network is wider than a row. */
  readonly closed?: ClosedBlocks;
}

/**
 * A network as an SVG picture with a legend, at most 838 px wide: what is wider is broken into rows, and a block that
 * repeats an earlier one is one box, which names that one.
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
  const layout = await graphviz();
  const whole = outline(graph, options);
  const line = closed === undefined ? rowLayout(whole, layout) : undefined;
  const blocks = closed ?? readable(whole, layout, line);
  const { text, engine } =
    blocks.size === 0 ? wrap(whole, layout, line) : wrap(closeBlocks(whole, blocks), layout);
  return svg(text, engine);
}
