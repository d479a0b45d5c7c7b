import type { Graph, Layer } from './spec';

/** The thirty fills of the reference implementation's drawings, in the order in which kinds of layers take them. */
export const palette: readonly string[] = (
  'bebada ffffb3 fb8072 8dd3c7 80b1d3 fdb462 b3de69 fccde5 bc80bd ccebc5 ffed6f 1f78b4 33a02c e31a1c ff7f00 ' +
  '4dddf8 e66493 b07b87 4e90e3 dea05e d0c281 f0e189 e9e8b1 e0eb71 bbd2a4 6ed641 57eb9c 3ca4d4 92d5e7 b15928'
)
  .split(' ')
  .map((hex) => `#${hex}`);

/**
 * The fill of each kind of layer, in order of first use over all the graphs, so that several drawings can share it.
 *
 * The thirty-first kind starts again with the first colour.
 *
 * @example
 * ```ts
 * const colours = colourMap(build(net()), build(lossNet())); // 'conv' -> '#bebada', 'batch-norm' -> '#ffffb3', …
 * ```
 */
export function colourMap(...graphs: readonly Graph<Layer>[]): ReadonlyMap<string, string> {
  const colours = new Map<string, string>();
  for (const graph of graphs) {
    for (const { layer } of graph.values()) {
      if (layer !== null && !colours.has(layer.kind)) {
        colours.set(layer.kind, palette[colours.size % palette.length]);
      }
    }
  }
  return colours;
}

/** Near-black or white, whichever has the higher contrast on the fill `#rrggbb` (as WCAG 2.2 defines it). */
export function textColour(fill: string): string {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const level = parseInt(fill.slice(at, at + 2), 16) / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  // Equal contrast to black and to white: (L + 0.05) / 0.05 = 1.05 / (L + 0.05).
  return luminance > Math.sqrt(1.05 * 0.05) - 0.05 ? '#1b1b1b' : '#ffffff';
}

/**
 * The colour map as an SVG picture: a pill for each kind, ten to a row, 100 px wide or as wide as the longest name
 * needs. Each pill has its own background, so it is legible on light and dark pages, inline or as a file.
 */
export function legend(colours: ReadonlyMap<string, string>): string {
  const perRow = 10;
  const gap = 6;
  const height = 24;
  const longest = Math.max(0, ...[...colours.keys()].map((kind) => kind.length));
  const width = Math.max(100, Math.ceil(longest * 8.2) + 20);
  const pills = [...colours].map(([kind, fill], index) => {
    const x = (index % perRow) * (width + gap);
    const y = Math.floor(index / perRow) * (height + gap);
    return (
      `<rect x="${x + 0.5}" y="${y + 0.5}" width="${width - 1}" height="${height - 1}" rx="11.5" fill="${fill}" ` +
      `stroke="#000000" stroke-opacity="0.27"/>\n` +
      `<text x="${x + width / 2}" y="${y + 16.5}" fill="${textColour(fill)}">${escapeXml(kind)}</text>\n`
    );
  });
  const totalWidth = Math.max(1, Math.min(perRow, colours.size)) * (width + gap) - gap;
  const totalHeight = Math.max(1, Math.ceil(colours.size / perRow)) * (height + gap) - gap;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${totalWidth}" height="${totalHeight}" ` +
    `viewBox="0 0 ${totalWidth} ${totalHeight}" role="img" aria-label="colours of the kinds of layers" ` +
    `style="max-width:100%;height:auto">\n` +
    `<g font-family="Helvetica,Arial,sans-serif" font-size="13" text-anchor="middle">\n${pills.join('')}</g>\n</svg>\n`
  );
}

/** Escapes text for XML, in an element or a quoted attribute. */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
