import type { Data, Layout } from 'plotly.js-dist';
import { NotebookError } from '../base/errors';
import { plotlyScript } from '../report/plotly-script';
import type { Figure } from './figure';
import { liveHtml } from './live-html';
import { fontFamily, ink, plotSize, series, zoom } from './theme';

/** A trace of plotly.js, as its own types describe it. */
export type PlotlyTrace = Data;

/** A layout of plotly.js, as its own types describe it. */
export type PlotlyLayout = Partial<Layout>;

/** The style of {@link plotly}'s figures: the colours and fonts of the other figures. */
const template = {
  data: Object.fromEntries(
    ['surface', 'heatmap', 'contour', 'mesh3d'].map((type) => [type, [{ colorscale: 'Viridis' }]]),
  ),
  layout: {
    font: { family: fontFamily, size: 12, color: ink.text },
    // At the top, clear of the margin's content: titles of parallel axes, a legend.
    title: { x: 0.02, xanchor: 'left', y: 1, yanchor: 'top', pad: { t: 14 }, font: { size: 15 } },
    colorway: series,
    paper_bgcolor: ink.ground,
    plot_bgcolor: ink.ground,
    xaxis: { gridcolor: ink.grid, linecolor: ink.axis, zerolinecolor: ink.grid },
    yaxis: { gridcolor: ink.grid, linecolor: ink.axis, zerolinecolor: ink.grid },
    scene: {
      xaxis: { gridcolor: ink.grid, backgroundcolor: ink.ground },
      yaxis: { gridcolor: ink.grid, backgroundcolor: ink.ground },
      zaxis: { gridcolor: ink.grid, backgroundcolor: ink.ground },
    },
    margin: { l: 60, r: 30, t: 50, b: 50 },
  },
};

/**
 * Draws traces of plotly.js as a figure to turn, zoom and hover over, for data of three or more dimensions; `chart` suits
 * everything else.
 *
 * The figure is interactive in a notebook that has shown {@link loadPlotly}, and in HTML exported from it. Elsewhere
 * (GitHub, a notebook that is not trusted or was not run), it is `still`. It is drawn when it scrolls into view, because a
 * browser keeps about 16 WebGL contexts. Numbers are stored with six digits; NaN and infinities become gaps.
 *
 * @param still the same data as a picture, for instance a chart of a section or a heat map; plotly.js draws only in a browser
 * @throws NotebookError if there is no trace, or `still` has no picture
 * @see Plotly, plotly.js, https://plotly.com/javascript/
 * @example
 * ```ts
 * await show(loadPlotly()); // once, in the first cell
 * const still = chart(rows, { mark: 'rect', x: 'lr', y: 'wd', colour: 'loss' });
 * await show(plotly([{ type: 'surface', x, y, z }], { title: { text: 'Loss' } }, still));
 * ```
 */
export async function plotly(
  traces: readonly PlotlyTrace[],
  layout: PlotlyLayout,
  still: Figure | Promise<Figure>,
): Promise<Figure> {
  const { bundle } = await still;
  const given = bundle['image/png'];
  if (traces.length === 0) {
    throw new NotebookError('plotly: no traces to draw. Give at least one.');
  }
  if (!(given instanceof Uint8Array)) {
    throw new NotebookError(
      'plotly: the still has no image/png for pages that are not interactive. Pass a chart or pictures.',
    );
  }
  const png = Buffer.from(given.buffer, given.byteOffset, given.byteLength);
  // The header of a PNG begins with its width and height.
  const size = { width: png.readUInt32BE(16) / zoom, height: png.readUInt32BE(20) / zoom };
  const text = bundle['text/plain'] ?? 'plotly figure';
  const shape = { width: plotSize.width + 160, height: 460, template };
  const spec = {
    data: traces.map(rounded),
    layout: { ...shape, ...(rounded(layout) as object) },
  };
  return {
    bundle: {
      'text/html': liveHtml({
        kind: 'plotly',
        queue: 'cifar10FastPlots',
        spec,
        alt: text,
        src: `data:image/png;base64,${png.toString('base64')}`,
        size: `width="${size.width}" height="${size.height}"`,
      }),
      'image/png': png,
      'text/plain': text,
    },
    metadata: { 'image/png': size },
  };
}

/** A value as it is stored: typed arrays as lists, numbers to six digits, NaN and infinities as null. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number')
    return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array, rounded);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rounded(part)]));
}

/**
 * Loads plotly.js into the page, so that figures of {@link plotly} in this notebook are interactive: show it once, in the
 * first cell. It is 2.6 MB from the package `plotly.js-dist`; it needs no network and no Jupyter extension.
 *
 * @example
 * ```ts
 * await show(loadPlotly());
 * ```
 */
export async function loadPlotly(): Promise<Figure> {
  const message = 'plotly.js is loaded: figures can be rotated and zoomed.';
  return {
    bundle: {
      'text/html': `<small data-plotly-runtime>${message}</small>\n<script>${await plotlyScript()}</script>`,
      'text/plain': message,
    },
  };
}
