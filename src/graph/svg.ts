import { GraphError } from '../base/errors';
import { keepLayout, readLayout } from './layout-cache';
import type { Engine, Layout } from './row-layout';

/**
 * Lays DOT text out as an SVG picture with Graphviz (a WebAssembly build, so no system package is needed).
 *
 * The picture works as a file and inline in a page. Its background, text and arrows follow the reader's light or dark
 * setting. It has no ids and a scoped style, so a page can hold several. It is as wide as Graphviz makes it, but never
 * wider than its container. Tooltips are `<title>` elements: a node's path with its tooltip from the text. The same text
 * gives the same bytes.
 *
 * @throws GraphError if Graphviz cannot read the text; its own error is the `cause`.
 * @example
 * ```ts
 * await writeFile('net.svg', await svg(dot(build(net()))));
 * ```
 */
export async function svg(dotText: string, engine: Engine = 'dot'): Promise<string> {
  return tidy(await layOut(dotText, 'svg', engine));
}

/**
 * Graphviz, loaded only for text whose layout is not in the cache: an ES module of 0.8 MB, and a second of work for a
 * network of the catalogue.
 */
export const layOut: Layout = async (dotText, format, engine) => {
  const kept = readLayout([dotText, format, engine]);
  if (kept !== undefined) return kept;
  const { Graphviz } = await import('@hpcc-js/wasm-graphviz');
  const graphviz = await Graphviz.load();
  try {
    const drawn = graphviz.layout(dotText, format, engine);
    keepLayout([dotText, format, engine], drawn);
    return drawn;
  } catch (cause) {
    throw new GraphError(
      `svg: Graphviz cannot read the drawing (${String(cause)}). Give it the text that dot() returns.`,
      { cause },
    );
  }
};

/** The dark colours; the light ones are in the DOT text. */
const style = `<style>
@media (prefers-color-scheme: dark) {
.net-drawing .backdrop { fill: #14171c; }
.net-drawing .cluster text { fill: #d8d8d8; }
.net-drawing .edge path { stroke: #b4b4b4; }
.net-drawing .edge polygon { fill: #b4b4b4; stroke: #b4b4b4; }
}
</style>`;

/** Turns Graphviz's output into the picture that {@link svg} promises. Relies on Graphviz writing one element per line. */
function tidy(drawn: string): string {
  const size = /<svg width="([\d.]+)pt" height="([\d.]+)pt"\s+viewBox="([^"]+)"[^>]*>/;
  const name = /<g id="graph0"[^>]*>\n<title>(.*)<\/title>/.exec(drawn)?.[1] ?? '';
  return drawn
    .slice(drawn.indexOf('<svg '))
    .replace(
      size,
      '<svg xmlns="http://www.w3.org/2000/svg" class="net-drawing" width="$1pt" height="$2pt" viewBox="$3" ' +
        `role="img" aria-label="${name.replaceAll('$', '$$$$')}" style="max-width:100%;height:auto;border-radius:8px">\n${style.replaceAll('$', '$$$$')}`,
    )
    .replaceAll(/<!--[\s\S]*?-->\n/g, '')
    .replace(/(<g id="graph0"[^>]*>\n)<title>.*<\/title>\n<polygon/, '$1<polygon class="backdrop"')
    .replaceAll(
      /<title>(.*)<\/title>\n<g id="a_[^"]*"><a xlink:title="(.*)">\n([\s\S]*?)<\/a>\n<\/g>\n/g,
      (_, title: string, tooltip: string, body: string) => {
        const full = title.startsWith('cluster_') ? tooltip : `${title}: ${tooltip}`;
        return `<title>${full}</title>\n${body}`;
      },
    )
    .replaceAll(/<g id="edge[^"]*" (class="edge">\n<title>.*)&#45;&gt;(.*<\/title>)/g, '<g $1 → $2')
    .replaceAll(/ (id|xml:space|xlink:[a-z]+)="[^"]*"/g, '')
    .replaceAll('rotate(0) ', '');
}
