import type { Data, Layout } from 'plotly.js-dist';
import type { ChartMark, ChartRun } from './charts';
import { placeLabels } from './labels';

/** A plotly.js figure, without the colours of its page. */
export interface Plot {
  readonly data: readonly Data[];
  readonly layout: Partial<Layout>;
}

/** The plotting area in pixels for placing labels: that of a page 1080 pixels wide. */
const area = { width: 930, height: 380 };

const symbols = ['circle', 'square', 'triangle-up', 'cross', 'x', 'star', 'pentagon'] as const;

/** The range of an axis with a margin on both sides; for a logarithmic axis, in log10. */
function axisOf(values: readonly number[], isLog: boolean): readonly [number, number] {
  const shown = values.map((value) => (isLog ? Math.log10(value) : value));
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const room = high > low ? 0.08 * (high - low) : Math.max(0.05 * Math.abs(high), 0.05);
  return [low - room, high + room];
}

/**
 * Accuracy against seconds of training: a point per run, a hollow diamond per published figure, a dashed line at the goal.
 * Hovering over a run shows its seed, seconds, accuracy and machine. The most accurate run of each series is labelled with the
 * series' name if there is room.
 *
 * The time axis is logarithmic if the longest time is more than 20 times the shortest.
 *
 * @param goal percent
 * @returns `unlabelled`: series without room for their label
 */
export function timePlot(
  runs: readonly (ChartRun & { readonly machine: string })[],
  published: readonly ChartMark[],
  goal: number,
): Plot & { readonly unlabelled: readonly string[] } {
  const marks = published.flatMap(({ series, acc, timeSec }) =>
    acc === undefined || timeSec === undefined ? [] : [{ series, acc, timeSec }],
  );
  const points = [...runs, ...marks];
  const times = points.map(({ timeSec }) => timeSec).filter((sec) => sec > 0);
  const isLog = Math.max(...times) > 20 * Math.min(...times);
  const x = axisOf(times, isLog);
  const y = axisOf([...points.map(({ acc }) => acc), goal], false);
  const place = ({ timeSec, acc }: { readonly timeSec: number; readonly acc: number }) => ({
    x: (area.width * ((isLog ? Math.log10(timeSec) : timeSec) - x[0])) / (x[1] - x[0]),
    y: (area.height * (y[1] - acc)) / (y[1] - y[0]),
  });
  const series = [...new Set(runs.map((run) => run.series))];
  const best = series.map((name) =>
    runs
      .filter((run) => run.series === name)
      .reduce((most, run) => (run.acc > most.acc ? run : most)),
  );
  const positions = placeLabels(
    best.map((run) => ({ ...place(run), text: run.series })),
    points.map(place),
    area,
  );
  const data = series.flatMap((name, index): Data[] => {
    const own = runs.filter((run) => run.series === name);
    const position = positions[index];
    const looks = { legendgroup: name, name, meta: index };
    const known = marks.filter((mark) => mark.series === name);
    return [
      {
        ...looks,
        type: 'scatter',
        mode: 'text+markers',
        x: own.map(({ timeSec }) => timeSec),
        y: own.map(({ acc }) => acc),
        text: own.map((run) => (position !== undefined && run === best[index] ? name : '')),
        textposition: position ?? 'top center',
        cliponaxis: false,
        customdata: own.map(({ seed, machine }) => [seed, machine]),
        hovertemplate:
          `<b>${name}</b>, seed %{customdata[0]}<br>%{y:.2f} %, %{x:.1f} s<br>` +
          '%{customdata[1]}<extra></extra>',
        marker: { symbol: symbols[Math.floor(index / 7) % symbols.length], size: 9, opacity: 0.85 },
      },
      ...known.map(({ acc, timeSec }): Data => ({
        ...looks,
        type: 'scatter',
        mode: 'markers',
        showlegend: false,
        x: [timeSec],
        y: [acc],
        hovertemplate: `<b>${name}</b>, published<br>%{y:.2f} %, %{x:.1f} s<extra></extra>`,
        marker: { symbol: 'diamond-open', size: 12, line: { width: 2 } },
      })),
    ];
  });
  return {
    data,
    layout: layoutOf(x, y, goal, isLog),
    unlabelled: series.filter((_, i) => positions[i] === undefined),
  };
}

/** 1, 2 and 5 times every power of ten in a range of exponents. */
function logTicks([low, high]: readonly [number, number]): number[] {
  const powers = Array.from({ length: 13 }, (_, index) => 10 ** (index - 4));
  return powers
    .flatMap((power) => [power, 2 * power, 5 * power])
    .filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
}

function layoutOf(
  x: readonly [number, number],
  y: readonly [number, number],
  goal: number,
  isLog: boolean,
): Partial<Layout> {
  return {
    height: 480,
    hovermode: 'closest',
    hoverlabel: { align: 'left' },
    showlegend: false,
    margin: { l: 62, r: 24, t: 16, b: 52 },
    xaxis: {
      title: { text: 'training time, s' },
      range: [...x],
      ...(isLog ? { type: 'log', tickvals: logTicks(x) } : {}),
    },
    yaxis: { title: { text: 'test accuracy, %' }, range: [...y] },
    shapes: [
      {
        type: 'line',
        xref: 'paper',
        x0: 0,
        x1: 1,
        y0: goal,
        y1: goal,
        line: { dash: 'dash', width: 1 },
      },
    ],
    annotations: [
      {
        text: `${goal} %`,
        xref: 'paper',
        x: 1,
        xanchor: 'right',
        y: goal,
        yanchor: 'bottom',
        showarrow: false,
      },
    ],
  };
}
