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
 * Rows as a chart: one mark or several on common axes, in the look of all figures of this project.
 *
 * Interactive where the viewer can (a tooltip tells the values), a picture elsewhere. Rows come as `table.dataFrame()`
 * gives them; only the columns that the chart reads are stored, to six digits. Several charts of different rows, or
 * anything else, as a {@link vegaLite} specification.
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
  // Marks on the edge are drawn whole, unless there may be marks beyond it.
  const isCut = [options.x, options.y].some(
    (channel) => typeof channel === 'object' && channel.domain !== undefined,
  );
  // What is stacked is stacked in the order of the legend.
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
 * A vega-lite specification as a figure: interactive, as a picture, and as a line of text. The look is that of all
 * figures, and what the specification says about it goes before.
 *
 * @param text what is told where no picture can be shown
 * @throws NotebookError if vega-lite cannot read it; its own words are in the message
 */
export async function vegaLite(spec: VegaLiteSpec, text: string): Promise<Figure> {
  // Two libraries of ES modules, 0.2 s to load: by those who draw, and once.
  const [{ compile }, { View, parse }] = await Promise.all([import('vega-lite'), import('vega')]);
  const { config, ...rest } = spec;
  const themed = {
    // What viewers of today read; we use nothing that came later.
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    ...rest,
    config: { ...vegaConfig, ...(config as object | undefined) },
  };
  const heard: string[] = [];
  const hear = (...words: readonly unknown[]): void => void heard.push(words.join(' '));
  const logger = listener(hear);
  let svg: string;
  try {
    // A copy: vega numbers the rows that it is given.
    const compiled = compile(structuredClone(themed) as unknown as Parameters<typeof compile>[0], {
      logger,
    });
    const view = new View(parse(compiled.spec), { renderer: 'none', logger });
    svg = await view.toSVG();
    view.finalize();
  } catch (cause) {
    throw new NotebookError(`chart: vega-lite cannot draw this: ${String(cause)}.`, { cause });
  }
  if (heard.length > 0) {
    throw new NotebookError(
      `chart: vega-lite has doubts: ${heard.join(' ')} Repair the specification.`,
    );
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
  const told = channels.flatMap((name) => {
    const { field, title } = canonical(options[name]) ?? {};
    return field === undefined ? [] : [`${name} ${title ?? field}`];
  });
  const what = options.title ?? 'chart';
  return `${what} (${told.join(', ')}; ${counted(rows.length, 'row')})`;
}

/** What vega and vega-lite have to say, in place of the console. */
function listener(hear: (...words: readonly unknown[]) => void): Listener {
  const logger: Listener = {
    level: () => logger,
    error: (...words) => (hear(...words), logger),
    warn: (...words) => (hear(...words), logger),
    info: () => logger,
    debug: () => logger,
  };
  return logger;
}

interface Listener {
  level(value?: number): Listener;
  error(...words: readonly unknown[]): Listener;
  warn(...words: readonly unknown[]): Listener;
  info(...words: readonly unknown[]): Listener;
  debug(...words: readonly unknown[]): Listener;
}
