import { NotebookError } from '../base/errors';
import { guideLayers } from '../report/guides';
import type { FlatRow } from '../text/table';
import { canonical, channels, encodingOf } from './chart-encoding';
import type { ChartOptions } from './chart-options';
import { safeColumns, stored } from './chart-rows';
import { stackingOf } from './chart-stacking';
import type { Figure } from './figure';
import { raster, rasterMetadata } from './raster';
import { plotSize, vegaConfig } from './theme';
import { counted } from '../text/counted';

/** A vega-lite specification, version 5. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>;

/**
 * Draws rows as a chart: one or more marks on common axes, in the style of all figures of this project.
 *
 * The chart is interactive if the viewer supports it (tooltips show the values), else a picture. Rows are as
 * `table.dataFrame()` returns them; only the columns that the chart reads are stored, to six digits. For several charts of
 * different rows, or anything else, use {@link vegaLite}.
 *
 * @throws NotebookError if there are no rows, or none has a column that a channel names
 * @example
 * ```ts
 * await show(chart(table.dataFrame(), {
 *   mark: ['line', 'point'],
 *   x: 'epoch',
 *   y: { field: 'valid_acc', title: 'test accuracy', format: '.0%' },
 *   colour: 'run',
 *   guides: [{ y: 0.94, label: '94 %' }],
 * }));
 * ```
 */
export function chart(rows: readonly FlatRow[], options: ChartOptions): Promise<Figure> {
  const { mark, guides = [], title, subtitle, opacity, ownScales } = options;
  const marks = typeof mark === 'string' ? [mark] : mark;
  const named = safeColumns(rows, options);
  const encoding = encodingOf(named.rows, marks, named.options);
  const { column, row, ...inner } = encoding;
  const values = stored(named.rows, encoding);
  // Marks are clipped only if some may lie beyond the edge; otherwise, those on it are drawn whole.
  const isCut = [options.x, options.y].some(
    (channel) => typeof channel === 'object' && channel.domain !== undefined,
  );
  // Stacks follow the order of the legend.
  const stacking = stackingOf(values, encoding, marks, options);
  const layers = [
    ...marks.map((type) => ({
      mark: {
        type,
        ...(isCut ? { clip: true } : {}),
        ...(opacity === undefined ? {} : { opacity }),
      },
      encoding: { ...inner, ...stacking },
    })),
    ...guides.flatMap((guide) => guideLayers(guide)),
  ];
  const { width = plotSize.width, height = plotSize.height } = options;
  const panel = { width, height, layer: layers };
  const isFaceted = column !== undefined || row !== undefined;
  const own = ownScales === 'both' ? ['x', 'y'] : ownScales === undefined ? [] : [ownScales];
  return vegaLite(
    {
      data: { values },
      ...(title === undefined ? {} : { title: { text: title, subtitle: subtitle ?? '' } }),
      ...(isFaceted
        ? {
            facet: {
              ...(column === undefined ? {} : { column }),
              ...(row === undefined ? {} : { row }),
            },
            spec: panel,
            resolve: { scale: Object.fromEntries(own.map((axis) => [axis, 'independent'])) },
          }
        : panel),
    },
    options.text ?? describeChart(rows, options),
  );
}

/**
 * Turns a vega-lite specification into a figure: interactive, as a picture, and as a line of text. The style is that of all
 * figures; the `config` of the specification overrides it.
 *
 * @param text shown where no picture can be
 * @throws NotebookError if vega-lite cannot draw it, or warns; the message quotes vega-lite
 */
export async function vegaLite(spec: VegaLiteSpec, text: string): Promise<Figure> {
  // Two libraries of ES modules, which take 0.2 s to load, so only when a chart is drawn.
  const [{ compile }, { View, parse }] = await Promise.all([import('vega-lite'), import('vega')]);
  const { config, ...rest } = spec;
  const themed = {
    // Current viewers read version 5; the specifications here use nothing newer.
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    ...rest,
    config: { ...vegaConfig, ...(config as object | undefined) },
  };
  const messages: string[] = [];
  const collect = (...words: readonly unknown[]): void => void messages.push(words.join(' '));
  const logger = collector(collect);
  let svg: string;
  try {
    // A copy, because vega numbers the rows that it gets.
    const compiled = compile(structuredClone(themed) as unknown as Parameters<typeof compile>[0], {
      logger,
    });
    const view = new View(parse(compiled.spec), { renderer: 'none', logger });
    svg = await view.toSVG();
    view.finalize();
  } catch (cause) {
    throw new NotebookError(`chart: vega-lite cannot draw this: ${String(cause)}.`, { cause });
  }
  if (messages.length > 0) {
    throw new NotebookError(`chart: vega-lite warns: ${messages.join(' ')} Fix the specification.`);
  }
  const picture = await raster(svg);
  return {
    bundle: {
      'application/vnd.vegalite.v5+json': themed,
      'image/png': picture.png,
      'text/plain': text,
    },
    metadata: rasterMetadata(picture),
  };
}

function describeChart(rows: readonly FlatRow[], options: ChartOptions): string {
  const shown = channels.flatMap((name) => {
    const { field, title } = canonical(options[name]) ?? {};
    return field === undefined ? [] : [`${name} ${title ?? field}`];
  });
  const what = options.title ?? 'chart';
  return `${what} (${shown.join(', ')}; ${counted(rows.length, 'row')})`;
}

/** Collects errors and warnings of vega and vega-lite, instead of printing them. */
function collector(collect: (...words: readonly unknown[]) => void): Logger {
  const logger: Logger = {
    level: () => logger,
    error: (...words) => (collect(...words), logger),
    warn: (...words) => (collect(...words), logger),
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}

interface Logger {
  level(value?: number): Logger;
  error(...words: readonly unknown[]): Logger;
  warn(...words: readonly unknown[]): Logger;
  info(...words: readonly unknown[]): Logger;
  debug(...words: readonly unknown[]): Logger;
}
