import { PNG } from 'pngjs';
import { NotebookError } from '../base/errors';
import type { Figure } from './figure';
import { fontFamily, ink, plotSize, series } from './theme';

/** A trace of plotly.js: its `type` and what belongs to it. */
export type PlotlyTrace = Readonly<Record<string, unknown>> & { readonly type: string };

/** A layout of plotly.js. */
export type PlotlyLayout = Readonly<Record<string, unknown>>;

/** What belongs to a chart as it stands: where the turning ends and the picture begins. */
const template = {
  data: Object.fromEntries(
    ['surface', 'heatmap', 'contour', 'mesh3d'].map((type) => [type, [{ colorscale: 'Viridis' }]]),
  ),
  layout: {
    font: { family: fontFamily, size: 12, color: ink.text },
    title: { x: 0.02, xanchor: 'left', font: { size: 15 } },
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
 * Traces of plotly.js as a figure to turn and to zoom into: for what has three dimensions, or is read by moving in it. Everything else is
 * better told by `chart`.
 *
 * @param still the same as a picture, for pages that are not interactive: a chart of a section, or of a map from above. Plotly itself
 *   draws only in a browser
 * @throws NotebookError if there is no trace, or `still` has no picture
 * @example
 * ```ts
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
  const png = bundle['image/png'];
  if (traces.length === 0) {
    throw new NotebookError('plotly: there is no trace to draw. Give it at least one.');
  }
  if (!(png instanceof Uint8Array)) {
    throw new NotebookError(
      'plotly: the still has no picture for pages that are not interactive. Give a chart, or pictures.',
    );
  }
  return {
    bundle: {
      'application/vnd.plotly.v1+json': {
        data: traces.map(rounded),
        layout: { width: plotSize.width + 160, height: 460, template, ...layout },
        config: { displaylogo: false, responsive: false },
      },
      // Jupyter's extension shows the picture first, each of its pixels as one of the page.
      'image/png': halved(png),
      'text/plain': bundle['text/plain'] ?? 'plotly figure',
    },
  };
}

/** A picture of half the width and height. */
function halved(bytes: Uint8Array): Uint8Array {
  const { width, height, data } = PNG.sync.read(Buffer.from(bytes));
  const small = new PNG({ width: width >> 1, height: height >> 1 });
  for (let y = 0; y < small.height; y++) {
    for (let i = 0; i < 4 * small.width; i++) {
      const at = 8 * y * width + 2 * i - (i & 3);
      const sum = data[at] + data[at + 4] + data[at + 4 * width] + data[at + 4 * width + 4];
      small.data[4 * y * small.width + i] = (sum + 2) >> 2;
    }
  }
  return PNG.sync.write(small);
}

/** A trace as it is kept: typed arrays as lists, numbers to six digits, nothing that JSON does not know. */
function rounded(value: unknown): unknown {
  if (typeof value === 'number')
    return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array, rounded);
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rounded(part)]));
}
