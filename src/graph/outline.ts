import { lastPart } from './node-path';
import { colourMap, textColour } from './colours';
import { describe } from './describe';
import type { Graph, Layer } from './spec';

/** A box of a drawing: a node or a closed block. */
export interface Box {
  readonly path: string;
  readonly label: string;
  /** `#rrggbb`, as is `ink`, the colour of the label. */
  readonly fill: string;
  readonly ink: string;
  readonly tooltip: string;
  /** Set for a closed block: it hides nodes. */
  readonly isBlock?: true;
}

/** A kind of layer and its fill, for the legend. */
export interface LegendEntry {
  readonly kind: string;
  readonly fill: string;
  readonly ink: string;
}

/** The content of a drawing as plain JSON, with which a browser can close blocks and draw again. */
export interface Outline {
  readonly name: string;
  readonly boxes: readonly Box[];
  /** Indices of the boxes at both ends. */
  readonly arrows: readonly (readonly [from: number, to: number])[];
  readonly legend: readonly LegendEntry[];
}

/** Colours and name of a drawing. */
export interface OutlineOptions {
  /** Fill of each kind of layer. Kinds that are not in it are white. Default: the graph's own {@link colourMap}. */
  readonly colours?: ReadonlyMap<string, string>;
  /** Name of the drawing, read out by screen readers. Default: `network`. */
  readonly name?: string;
}

/**
 * The outline of a graph's drawing: a box for each node, labelled with the last part of its path and filled by the kind of
 * its layer, an arrow for each input, and a legend of the kinds.
 */
export function outline(
  graph: Graph<Layer>,
  { colours = colourMap(graph), name = 'network' }: OutlineOptions = {},
): Outline {
  const fillOf = (layer: Layer | null): string =>
    (layer === null ? undefined : colours.get(layer.kind)) ?? white;
  const boxes = [...graph].map(([path, { layer }]): Box => {
    const fill = fillOf(layer);
    const tooltip = layer === null ? 'fed by the caller' : describe(layer);
    return { path, label: lastPart(path), fill, ink: textColour(fill), tooltip };
  });
  const indexOf = new Map(boxes.map(({ path }, index) => [path, index] as const));
  const arrows = [...graph.values()].flatMap(({ inputs }, to) =>
    inputs.map((input) => [indexOf.get(input) ?? -1, to] as const),
  );
  const layers = [...graph.values()].flatMap(({ layer }) => (layer === null ? [] : [layer]));
  const legend = new Map(
    layers.map((layer) => {
      const fill = fillOf(layer);
      return [layer.kind, { kind: layer.kind, fill, ink: textColour(fill) }] as const;
    }),
  );
  return { name, boxes, arrows, legend: [...legend.values()] };
}

const white = '#ffffff';
