import { NotebookError } from '../base/errors';
import type { FlatRow } from '../text/table';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { canonicalAxis, extent, numbersOf, shortNumber } from './plot-axis';
import type { AxisOption, PlotAxis } from './plot-axis';
import { plotly } from './plotly';
import type { PlotlyLayout, PlotlyTrace } from './plotly';
import { ink } from './theme';

/** How rows become a {@link surfacePlot}. */
export interface SurfaceOptions {
  readonly x: AxisOption;
  readonly y: AxisOption;
  /** The height, and the colour. */
  readonly z: AxisOption;
  /** The column with a surface for each of its values, side by side, on common scales. */
  readonly panels?: string;
  readonly title?: string;
  readonly subtitle?: string;
}

interface Axes {
  readonly x: Required<PlotAxis>;
  readonly y: Required<PlotAxis>;
  readonly z: Required<PlotAxis>;
}

/**
 * Draws a quantity over a grid of two numbers as a surface with contours, to turn and zoom; hovering shows the three numbers.
 * Where figures are not interactive ({@link plotly}), it is a heat map.
 *
 * @param rows one per grid point; points without a row are gaps
 * @throws NotebookError if there is no row, a value is not a number, or a grid point has two rows
 * @example
 * ```ts
 * await show(surfacePlot(results, {
 *   x: { field: 'lr', title: 'rate', scale: 'log' }, y: { field: 'weightDecay', scale: 'log' }, z: 'accuracy',
 * }));
 * ```
 */
export function surfacePlot(
  rows: readonly FlatRow[],
  { x, y, z, panels, title = 'Surface', subtitle }: SurfaceOptions,
): Promise<Figure> {
  if (rows.length === 0) {
    throw new NotebookError('surfacePlot: no rows. Give one for each grid point.');
  }
  const axes = { x: canonicalAxis(x), y: canonicalAxis(y), z: canonicalAxis(z) };
  const names = panels === undefined ? [''] : [...new Set(rows.map((row) => String(row[panels])))];
  const heights = numbersOf('surfacePlot', rows, axes.z).filter(Number.isFinite);
  const range = extent(heights);
  const scenes = names.map((name, index) => {
    const own = panels === undefined ? rows : rows.filter((row) => String(row[panels]) === name);
    return surfaceOf(own, axes, index, range);
  });
  const head = subtitle === undefined ? title : `${title}<br><sub>${subtitle}</sub>`;
  const text = `${title}: ${axes.z.title} over ${axes.x.title} and ${axes.y.title}, ${shortNumber(range[0])} to ${shortNumber(range[1])}`;
  return plotly(
    scenes,
    { title: { text: head }, ...layoutOf(axes, names, range) },
    mapOf(rows, axes, { panels, title, subtitle, text }),
  );
}

const inOrder = (values: readonly number[]): number[] =>
  [...new Set(values)].toSorted((a, b) => a - b);

function surfaceOf(
  rows: readonly FlatRow[],
  { x, y, z }: Axes,
  index: number,
  range: readonly number[],
): PlotlyTrace {
  const [xs, ys, zs] = [x, y, z].map((axis) => numbersOf('surfacePlot', rows, axis));
  const [columns, lines] = [inOrder(xs), inOrder(ys)];
  const grid = lines.map(() => columns.map(() => NaN));
  const seen = new Set<string>();
  for (const [at, height] of zs.entries()) {
    const place = `${x.field} ${xs[at]}, ${y.field} ${ys[at]}`;
    if (seen.has(place)) {
      throw new NotebookError(`surfacePlot: two rows have ${place}. Give one for each grid point.`);
    }
    seen.add(place);
    grid[lines.indexOf(ys[at])][columns.indexOf(xs[at])] = height;
  }
  const isLog = z.scale === 'log';
  // Colours follow the height as it is drawn.
  const shade = (value: number): number => (isLog ? Math.log10(value) : value);
  const [low, high] = range.map(shade);
  return {
    type: 'surface',
    scene: index === 0 ? 'scene' : `scene${index + 1}`,
    x: columns,
    y: lines,
    z: grid,
    surfacecolor: grid.map((line) => line.map(shade)),
    cmin: low,
    cmax: high,
    showscale: false,
    contours: {
      x: { highlight: false },
      y: { highlight: false },
      z: { show: true, color: ink.ground, width: 1 },
    },
    hovertemplate: `${x.title} %{x:.4~g}<br>${y.title} %{y:.4~g}<br>${z.title} %{z:.4~g}<extra></extra>`,
  };
}

function layoutOf(
  { x, y, z }: Axes,
  names: readonly string[],
  range: readonly number[],
): PlotlyLayout {
  const width = 1 / names.length;
  const isShared = names.length > 1;
  const axis = ({ title, scale }: Required<PlotAxis>): object => ({
    title: { text: title },
    // In a small panel, more numbers would overlap.
    ...(isShared ? { nticks: 5 } : {}),
    ...(scale === 'log' ? { type: 'log', dtick: 1, exponentformat: 'none' } : {}),
  });
  // Panels can be compared only on one scale of heights. They are small, so the camera is further away.
  const heights = z.scale === 'log' ? range.map(Math.log10) : [...range];
  const away = isShared ? 1.4 : 1.15;
  // A little to the right, because the title of the heights is on the left.
  const aside = isShared ? -0.1 : 0;
  const scenes = names.map((_, index) => [
    index === 0 ? 'scene' : `scene${index + 1}`,
    {
      domain: { x: [index * width, (index + 1) * width] },
      xaxis: axis(x),
      yaxis: axis(y),
      zaxis: { ...axis(z), ...(isShared ? { range: heights } : {}) },
      aspectmode: 'cube',
      camera: {
        eye: { x: 1.5 * away, y: -1.6 * away, z: 0.9 * away },
        center: { x: aside, y: aside, z: -0.12 },
      },
    },
  ]);
  const labels = names.map((name, index) => ({
    text: name,
    showarrow: false,
    xref: 'paper' as const,
    yref: 'paper' as const,
    x: (index + 0.5) * width,
    xanchor: 'center' as const,
    y: 1,
  }));
  return {
    ...(Object.fromEntries(scenes) as PlotlyLayout),
    ...(isShared ? { annotations: labels, width: 980, height: 390 } : {}),
    margin: { l: 10, r: 10, t: 70, b: 10 },
  };
}

interface Labels {
  readonly panels: string | undefined;
  readonly title: string;
  readonly subtitle: string | undefined;
  readonly text: string;
}

/** The surface as a heat map. */
function mapOf(
  rows: readonly FlatRow[],
  { x, y, z }: Axes,
  { panels, title, subtitle, text }: Labels,
): Promise<Figure> {
  const labels = (axis: Required<PlotAxis>): string[] =>
    inOrder(numbersOf('surfacePlot', rows, axis)).map(shortNumber);
  const values = rows.map((row) => ({
    x: shortNumber(Number(row[x.field])),
    y: shortNumber(Number(row[y.field])),
    z: Number(row[z.field]),
    panel: panels === undefined ? '' : String(row[panels]),
  }));
  const names = [...new Set(values.map(({ panel }) => panel))];
  const size = names.length === 1 ? { width: 380, height: 260 } : { width: 230, height: 200 };
  const map = {
    mark: 'rect',
    encoding: {
      x: {
        field: 'x',
        type: 'ordinal',
        sort: labels(x),
        title: x.title,
        axis: { labelAngle: 0, labelOverlap: true },
      },
      y: {
        field: 'y',
        type: 'ordinal',
        sort: labels(y).toReversed(),
        title: y.title,
        axis: { labelOverlap: true },
      },
      color: {
        field: 'z',
        type: 'quantitative',
        title: z.title,
        scale: { type: z.scale, scheme: 'viridis' },
      },
    },
  };
  const heading = { text: title, ...(subtitle === undefined ? {} : { subtitle }) };
  const facet = { field: 'panel', type: 'nominal', sort: names, title: null };
  const spec =
    names.length === 1 ? { ...size, ...map } : { columns: 3, facet, spec: { ...size, ...map } };
  return vegaLite({ title: heading, data: { values }, ...spec }, text);
}
