import { NotebookError } from '../base/errors';
import type { FlatRow } from '../text/table';
import { vegaLite } from './chart';
import type { Figure } from './figure';
import { canonicalAxis, extent, numbersOf, shortNumber } from './plot-axis';
import type { AxisOption, PlotAxis } from './plot-axis';
import { plotly } from './plotly';
import type { PlotlyTrace } from './plotly';
import { ink } from './theme';

/** How rows become a {@link parallelPlot}. */
export interface ParallelOptions {
  /** Columns of numbers, from left to right. */
  readonly axes: readonly AxisOption[];
  /** The axis whose value colours the lines. Default: the last. */
  readonly colour?: string;
  readonly title?: string;
  readonly subtitle?: string;
}

/**
 * Parallel coordinates: one axis per column, one line per row. In the interactive figure, dragging along an axis keeps only
 * the lines through that range, and dragging its title moves the axis; elsewhere ({@link plotly}), it is a picture.
 *
 * @throws NotebookError if there are no rows or fewer than two axes, a value is not a number, or `colour` is not an axis
 * @example
 * ```ts
 * await show(parallelPlot(runs, { axes: [{ field: 'lr', title: 'rate', scale: 'log' }, 'momentum', 'accuracy'] }));
 * ```
 */
export function parallelPlot(
  rows: readonly FlatRow[],
  { axes, colour, title = 'Runs', subtitle }: ParallelOptions,
): Promise<Figure> {
  const columns = axes.map(canonicalAxis);
  if (rows.length === 0 || columns.length < 2) {
    throw new NotebookError(
      `parallelPlot: ${rows.length} rows and ${columns.length} axes; expected at least one row and two axes.`,
    );
  }
  const shading =
    colour === undefined ? columns.at(-1) : columns.find(({ field }) => field === colour);
  if (shading === undefined) {
    throw new NotebookError(
      `parallelPlot: no axis "${colour}" to take the colours from. Axes are: ${columns.map(({ field }) => field).join(', ')}.`,
    );
  }
  const values = columns.map((axis) => numbersOf('parallelPlot', rows, axis));
  const shades = values[columns.indexOf(shading)].map((value) => drawn(shading, value));
  const trace: PlotlyTrace = {
    type: 'parcoords',
    line: {
      color: shades,
      colorscale: 'Viridis',
      showscale: shading.scale === 'linear',
      colorbar: { title: { text: shading.title }, thickness: 14 },
    },
    dimensions: columns.map((axis, index) => dimensionOf(axis, values[index])),
    labelfont: { size: 13 },
  };
  const head = subtitle === undefined ? title : `${title}<br><sub>${subtitle}</sub>`;
  const layout = {
    title: { text: head },
    height: 420,
    width: 860,
    margin: { l: 70, r: 70, t: 120, b: 30 },
  };
  return plotly([trace], layout, pictureOf(columns, values, shading, { title, subtitle }));
}

/** The position of a value on its axis. */
const drawn = ({ scale }: Required<PlotAxis>, value: number): number =>
  scale === 'log' ? Math.log10(value) : value;

/** Ticks of an axis: values of the rows if they are few or the axis is logarithmic, else five from end to end. */
function ticksOf(axis: Required<PlotAxis>, values: readonly number[]): number[] {
  const different = [...new Set(values)].toSorted((a, b) => a - b);
  if (different.length <= 6 || axis.scale === 'log') {
    const step = Math.ceil(different.length / 8);
    return different.filter(
      (_, index) => (different.length - 1 - index) % step === 0 || index === 0,
    );
  }
  const [low, high] = [different[0], different[different.length - 1]];
  return Array.from({ length: 5 }, (_, index) => low + (index / 4) * (high - low));
}

function dimensionOf(
  axis: Required<PlotAxis>,
  values: readonly number[],
): NonNullable<Extract<PlotlyTrace, { type?: 'parcoords' }>['dimensions']>[number] {
  const ticks = ticksOf(axis, values);
  return {
    label: axis.title,
    values: values.map((value) => drawn(axis, value)),
    tickvals: ticks.map((value) => drawn(axis, value)),
    ticktext: ticks.map((value) =>
      axis.scale === 'linear' && ticks.length === 5
        ? String(Number(value.toPrecision(3)))
        : shortNumber(value),
    ),
  };
}

/** Axes side by side, each over the full height of the picture, as channels of vega-lite. */
function placesOf(columns: readonly Required<PlotAxis>[]): readonly [x: object, y: object] {
  const axis = {
    labelAngle: 0,
    orient: 'top',
    grid: true,
    gridColor: ink.axis,
    labelPadding: 14,
    domain: false,
    ticks: false,
  };
  const sort = columns.map(({ title }) => title);
  const scale = { type: 'point', padding: 0.4 };
  return [
    { field: 'axis', type: 'nominal', sort, title: null, scale, axis },
    { field: 'at', type: 'quantitative', axis: null, scale: { domain: [0, 1], nice: false } },
  ];
}

/** The lines and axes as a picture. */
function pictureOf(
  columns: readonly Required<PlotAxis>[],
  values: readonly (readonly number[])[],
  shading: Required<PlotAxis>,
  { title, subtitle }: { readonly title: string; readonly subtitle: string | undefined },
): Promise<Figure> {
  const scaled = columns.map((axis, index) => {
    const places = values[index].map((value) => drawn(axis, value));
    const [low, high] = extent(places);
    return (value: number): number =>
      high === low ? 0.5 : (drawn(axis, value) - low) / (high - low);
  });
  const shades = values[columns.indexOf(shading)];
  const lines = shades.flatMap((shade, run) =>
    columns.map(({ title: axis }, index) => ({
      run,
      axis,
      at: scaled[index](values[index][run]),
      shade,
    })),
  );
  const ticks = columns.flatMap((axis, index) =>
    ticksOf(axis, values[index]).map((value) => ({
      axis: axis.title,
      at: scaled[index](value),
      text: String(Number(value.toPrecision(3))),
    })),
  );
  const [x, y] = placesOf(columns);
  const legend = {
    field: 'shade',
    type: 'quantitative',
    title: shading.title,
    scale: { type: shading.scale, scheme: 'viridis' },
  };
  const heading = { text: title, ...(subtitle === undefined ? {} : { subtitle }) };
  const text = `${title}: ${shades.length} runs over ${columns.map((axis) => axis.title).join(', ')}`;
  return vegaLite(
    {
      title: heading,
      width: 640,
      height: 280,
      layer: [
        {
          data: { values: lines },
          mark: { type: 'line', strokeWidth: 1.4, opacity: 0.75 },
          encoding: { x, y, color: legend, detail: { field: 'run' } },
        },
        {
          data: { values: ticks },
          mark: {
            type: 'text',
            align: 'left',
            dx: 5,
            fontSize: 11,
            stroke: ink.ground,
            strokeWidth: 3,
          },
          encoding: { x, y, text: { field: 'text' } },
        },
        {
          data: { values: ticks },
          mark: { type: 'text', align: 'left', dx: 5, fontSize: 11 },
          encoding: { x, y, text: { field: 'text' } },
        },
      ],
    },
    text,
  );
}
