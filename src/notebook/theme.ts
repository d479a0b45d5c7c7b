/**
 * The style of every figure, in one place.
 *
 * A figure has its own white background, so that it looks the same on a light page, on a dark one and in print.
 */

/** Helvetica or Arial in a browser; the PNG is set in a font of the same widths that comes with the package. */
export const fontFamily = 'Helvetica, Arial, sans-serif';

/** Colours of everything in a figure except its data. */
export const ink: Readonly<Record<'ground' | 'text' | 'faint' | 'axis' | 'grid', string>> = {
  ground: '#ffffff',
  text: '#24292f',
  faint: '#57606a',
  axis: '#8c959f',
  grid: '#e4e7eb',
};

/**
 * Colours of categories, in the order of use: those of Okabe and Ito except the yellow, which is too light for lines.
 * Readers with any common form of colour blindness can tell them apart.
 *
 * @see Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/
 */
export const series: readonly string[] = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#24292f',
];

/** Default size of a chart's plotting area in pixels: as wide as a cell's output allows beside a legend. */
export const plotSize: { readonly width: number; readonly height: number } = {
  width: 520,
  height: 260,
};

/** Pixels of the PNG for each pixel of the figure, so that it is sharp on dense screens and in print. */
export const zoom = 2;

/** The theme as a vega-lite `config`. */
export const vegaConfig: Readonly<Record<string, unknown>> = {
  background: ink.ground,
  padding: 14,
  font: fontFamily,
  view: { stroke: null, continuousWidth: plotSize.width, continuousHeight: plotSize.height },
  title: {
    anchor: 'start',
    color: ink.text,
    fontSize: 15,
    fontWeight: 600,
    subtitleColor: ink.faint,
    subtitleFontSize: 12.5,
    subtitlePadding: 5,
    offset: 12,
  },
  axis: {
    labelColor: ink.faint,
    titleColor: ink.text,
    labelFontSize: 12,
    titleFontSize: 12.5,
    titleFontWeight: 'normal',
    titlePadding: 8,
    labelLimit: 220,
    titleLimit: 400,
    domainColor: ink.axis,
    tickColor: ink.axis,
    gridColor: ink.grid,
    tickCount: 6,
  },
  legend: {
    labelColor: ink.text,
    titleColor: ink.faint,
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    labelLimit: 240,
    symbolStrokeWidth: 2.5,
    rowPadding: 4,
    offset: 14,
  },
  header: {
    labelColor: ink.text,
    titleColor: ink.faint,
    labelFontSize: 12.5,
    titleFontSize: 12.5,
    titleFontWeight: 'normal',
    labelPadding: 6,
    titlePadding: 4,
  },
  range: {
    category: series,
    ordinal: { scheme: 'viridis' },
    heatmap: { scheme: 'viridis' },
    ramp: { scheme: 'viridis' },
    diverging: { scheme: 'blueorange' },
  },
  mark: { color: series[0], tooltip: true },
  line: { strokeWidth: 2.25, strokeCap: 'round', strokeJoin: 'round' },
  point: { size: 45, filled: true, opacity: 0.9 },
  bar: { continuousBandSize: 14 },
  area: { opacity: 0.35, line: true },
  rule: { color: ink.axis },
  text: { color: ink.text, fontSize: 12 },
};
