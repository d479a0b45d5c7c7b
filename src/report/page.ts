import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { scriptJson } from '../text/script-json';
import type { ChartSpec } from './charts';
import { plotlyScript } from './plotly-script';
import type { Plot } from './time-plot';

/** A part of a page. */
export type PagePart =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'table';
      readonly titles: readonly string[];
      /** Each as long as `titles`. Columns of numbers are right-aligned, except the first column. */
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: 'chart'; readonly chart: ChartSpec; readonly caption: string }
  /** Charts side by side, stacked on a narrow screen. */
  | {
      readonly kind: 'charts';
      readonly charts: readonly { readonly chart: ChartSpec; readonly caption: string }[];
    }
  /** A plotly.js figure; `name` is unique in the page. */
  | {
      readonly kind: 'plot';
      readonly name: string;
      readonly plot: Plot;
      readonly caption: string;
    }
  | {
      readonly kind: 'pictures';
      /** Small pictures, shown enlarged without smoothing, each with one or more lines below it. */
      readonly pictures: readonly {
        /** The bytes of a PNG file. */
        readonly png: Uint8Array;
        readonly lines: readonly string[];
      }[];
    };

/** Parts under a heading. */
export interface PageSection {
  readonly title: string;
  /** Collapsed until the reader opens it. */
  readonly isFolded?: boolean;
  readonly parts: readonly PagePart[];
}

/**
 * A page of text, tables, vega-lite charts and plotly.js figures as one self-contained HTML file: it includes the libraries,
 * and its content security policy forbids all requests. It follows the reader's light or dark mode, and prints.
 */
export async function htmlPage(
  title: string,
  subtitle: string,
  sections: readonly PageSection[],
): Promise<string> {
  const drawn: Drawn = { charts: [], plots: [] };
  const body = sections.map(({ title, parts, isFolded = false }) => {
    const inner = parts.map((part) => partHtml(part, drawn)).join('\n');
    return isFolded
      ? `<details><summary>${escape(title)}</summary>\n${inner}\n</details>`
      : `<section>\n<h2>${escape(title)}</h2>\n${inner}\n</section>`;
  });
  const { charts, plots } = drawn;
  const scripts = [
    ...(charts.length === 0 ? [] : vegaSources()),
    ...(plots.length === 0 ? [] : [await plotlyScript()]),
    ...(charts.length + plots.length === 0 ? [] : [drawing(drawn)]),
  ];
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="color-scheme" content="light dark">',
    `<title>${escape(title)}</title>`,
    `<style>${style}</style>`,
    '</head>',
    '<body>',
    `<h1>${escape(title)}</h1>`,
    `<p class="subtitle">${escape(subtitle)}</p>`,
    ...body,
    // A closing tag inside a script would end it.
    ...scripts.map(
      (text) => `<script>${text.replaceAll('</script', String.raw`<\/script`)}</script>`,
    ),
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

/** Vega compiles expressions to functions, hence eval; all requests are forbidden. */
const policy =
  "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:";

/** What the page's script draws, in the order of its containers. */
interface Drawn {
  readonly charts: ChartSpec[];
  readonly plots: (Plot & { readonly id: string })[];
}

function chartHtml({ charts }: Drawn, chart: ChartSpec, caption: string): string {
  charts.push(chart);
  return (
    `<figure><div class="chart" id="chart-${charts.length}"></div>` +
    `<figcaption>${escape(caption)}</figcaption></figure>`
  );
}

function partHtml(part: PagePart, drawn: Drawn): string {
  switch (part.kind) {
    case 'text':
      return `<p>${escape(part.text)}</p>`;
    case 'table': {
      const sides = part.titles.map((_, index) =>
        isOfWords(part.rows, index) ? ' class="words"' : '',
      );
      const line = (cells: readonly string[], tag: string): string =>
        `<tr>${cells.map((cell, index) => `<${tag}${sides[index]}>${escape(cell)}</${tag}>`).join('')}</tr>`;
      return [
        '<div class="table"><table>',
        `<thead>${line(part.titles, 'th')}</thead>`,
        '<tbody>',
        ...part.rows.map((row) => line(row, 'td')),
        '</tbody>',
        '</table></div>',
      ].join('\n');
    }
    case 'chart':
      return chartHtml(drawn, part.chart, part.caption);
    case 'charts': {
      const figures = part.charts.map(({ chart, caption }) => chartHtml(drawn, chart, caption));
      return `<div class="beside">${figures.join('\n')}</div>`;
    }
    case 'plot':
      drawn.plots.push({ id: part.name, ...part.plot });
      return (
        `<figure><div class="plot" data-plotly="${escape(part.name)}"></div>` +
        `<figcaption>${escape(part.caption)}</figcaption></figure>`
      );
    case 'pictures':
      return [
        '<div class="pictures">',
        ...part.pictures.map(({ png, lines }) => {
          const data = Buffer.from(png).toString('base64');
          const [first = '', ...rest] = lines.map(escape);
          const image = `<img alt="${first}" src="data:image/png;base64,${data}">`;
          return `<figure>${image}<figcaption><b>${first}</b>${rest.map((line) => `<br>${line}`).join('')}</figcaption></figure>`;
        }),
        '</div>',
      ].join('\n');
    default:
      return part satisfies never;
  }
}

/** Whether a column contains words, which are left-aligned, rather than numbers. */
function isOfWords(rows: readonly (readonly string[])[], column: number): boolean {
  const cells = rows.map((row) => row[column]).filter((cell) => cell !== '-');
  return cells.length > 0 && cells.every((cell) => /^[\p{L}./~]/u.test(cell));
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** The browser scripts of vega, vega-lite and vega-embed, from their packages. */
function vegaSources(): string[] {
  return ['vega', 'vega-lite', 'vega-embed'].map((name) =>
    readFileSync(join(dirname(require.resolve(name)), `${name}.min.js`), 'utf8').replace(
      /\n?\/\/# sourceMappingURL=.*\s*$/,
      '',
    ),
  );
}

/** Okabe and Ito's colours without the yellow, and lighter variants for a dark background. */
const colours = {
  light: ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#24292f'],
  dark: ['#4aa3df', '#f0783c', '#2bb68a', '#d990b8', '#e69f00', '#9ad2f5', '#e6edf3'],
};

const forScript = (value: unknown): string => scriptJson(JSON.stringify(value));

/** Draws every chart and figure, and redraws them when the reader switches between light and dark mode. */
function drawing({ charts, plots }: Drawn): string {
  return `
const charts = ${forScript(charts)};
const plots = ${forScript(plots)};
const colours = ${JSON.stringify(colours)};
const dark = matchMedia('(prefers-color-scheme: dark)');
function config() {
  const css = getComputedStyle(document.documentElement);
  const ink = (name) => css.getPropertyValue('--' + name).trim();
  const font = css.getPropertyValue('--font').trim();
  const axis = { labelColor: ink('faint'), titleColor: ink('text'), labelFontSize: 12, titleFontSize: 13,
    titleFontWeight: 'normal', titlePadding: 8, domainColor: ink('line'), tickColor: ink('line'), gridColor: ink('grid') };
  return { background: null, font, view: { stroke: null }, axis, axisQuantitative: { tickCount: 9 },
    legend: { labelColor: ink('text'), labelFontSize: 12, symbolStrokeWidth: 2.5 },
    header: { labelColor: ink('text'), labelFontSize: 12 },
    range: { category: dark.matches ? colours.dark : colours.light },
    mark: { tooltip: true, color: ink('text') }, line: { strokeWidth: 2 },
    rule: { color: ink('text') }, tick: { color: ink('text') }, text: { color: ink('text') }, point: { color: ink('text') } };
}
function drawPlots() {
  const css = getComputedStyle(document.documentElement);
  const ink = (name) => css.getPropertyValue('--' + name).trim();
  const axis = { gridcolor: ink('grid'), linecolor: ink('line'), zeroline: false, color: ink('faint'),
    title: { font: { color: ink('text'), size: 13 } } };
  const template = { layout: { font: { family: ink('font'), size: 12, color: ink('text') }, xaxis: axis, yaxis: axis,
    paper_bgcolor: ink('ground'), plot_bgcolor: ink('ground'), shapedefaults: { line: { color: ink('text') } } } };
  const palette = dark.matches ? colours.dark : colours.light;
  for (const { id, data, layout } of plots) {
    for (const box of document.querySelectorAll('[data-plotly="' + id + '"]')) delete box.dataset.live;
    const coloured = data.map((trace) => ({ ...trace, textfont: { color: ink('text'), size: 11 },
      marker: { ...trace.marker, color: palette[trace.meta % palette.length] } }));
    window.cifar10FastPlots.push({ id, data: coloured, layout: { ...layout, template } });
  }
}
async function draw() {
  if (plots.length > 0) drawPlots();
  for (const [index, spec] of charts.entries()) {
    await vegaEmbed('#chart-' + (index + 1), spec, { mode: 'vega-lite', renderer: 'svg', config: config(),
      actions: { export: true, source: false, compiled: false, editor: false } });
  }
  document.documentElement.dataset.drawn = 'yes';
}
dark.addEventListener('change', draw);
draw();
`;
}

const style = `
:root { --font: Helvetica, Arial, sans-serif; --ground: #ffffff; --text: #24292f; --faint: #57606a; --line: #8c959f; --grid: #e4e7eb; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --text: #e6edf3; --faint: #9da7b1; --line: #6e7681; --grid: #262c34; }
}
body { margin: 0 auto; padding: 24px; max-width: 1560px; box-sizing: border-box; background: var(--ground); color: var(--text); font: 15px/1.5 var(--font); }
h1 { margin: 0; font-size: 26px; }
h2 { margin: 36px 0 8px; font-size: 18px; }
.subtitle, figcaption { color: var(--faint); }
.subtitle { margin: 4px 0 0; }
figure { margin: 12px 0; }
figcaption { font-size: 13px; }
.chart { width: 100%; overflow-x: auto; }
.plot { min-height: 480px; }
.beside { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(400px, 100%), 1fr)); gap: 0 28px; }
.beside figure { min-width: 0; }
p, figcaption { max-width: 110ch; overflow-wrap: anywhere; }
.table { overflow-x: auto; border-bottom: 1px solid var(--grid); }
.table th:first-child, .table td:first-child { position: sticky; left: 0; background: var(--ground); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { padding: 5px 12px; border-bottom: 1px solid var(--grid); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 0; }
th:first-child, td:first-child, .words { text-align: left; }
th { border-bottom-color: var(--line); font-weight: 600; }
.pictures { display: flex; flex-wrap: wrap; gap: 8px 14px; }
.pictures figure { width: 112px; }
.pictures img { width: 96px; height: 96px; image-rendering: pixelated; }
.pictures figcaption { line-height: 1.35; }
.pictures b { color: var(--text); font-weight: 600; }
body > details { margin-top: 36px; }
body > details > summary { cursor: pointer; font-size: 18px; font-weight: 600; }
.vega-embed { width: 100%; padding-right: 0 !important; }
.vega-embed summary { opacity: 0.35 !important; }
#vg-tooltip-element { color: #24292f; background: #ffffff; }
@media print { body { max-width: none; } .vega-embed summary { display: none; } }
`;
