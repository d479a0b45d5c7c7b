import { readFileSync } from 'node:fs';
import type { Data } from 'plotly.js-dist';
import { expect, test } from 'vitest';
import { htmlPage } from './page';

const table = {
  kind: 'table',
  titles: ['record', 'mean'],
  rows: [['<demo> & "co"', '94.08']],
} as const;

test('text and tables, escaped; no script without a chart', async () => {
  const page = await htmlPage('Runs <1>', 'a & b', [
    { title: 'One', parts: [table, { kind: 'text', text: 'p < 0.05' }] },
    { title: 'Two', isFolded: true, parts: [] },
  ]);
  expect(page).toContain('<title>Runs &lt;1&gt;</title>');
  expect(page).toContain('<td>&lt;demo&gt; &amp; &quot;co&quot;</td><td>94.08</td>');
  expect(page).toContain('<p>p &lt; 0.05</p>');
  expect(page).toContain('<details><summary>Two</summary>');
  expect(page).not.toContain('<script');
});

test('charts: the page contains vega, vega-lite and vega-embed, and fetches nothing', async () => {
  const chart = { mark: 'point', data: { values: [{ name: '</script><b>' }] } };
  const page = await htmlPage('Runs', '', [
    { title: 'One', parts: [{ kind: 'chart', chart, caption: 'A point.' }] },
  ]);
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
  expect(scripts).toHaveLength(4);
  for (const [index, name] of ['vega', 'vega-lite', 'vega-embed'].entries()) {
    const { version } = JSON.parse(
      readFileSync(`${__dirname}/../../node_modules/${name}/package.json`, 'utf8'),
    ) as { version: string };
    expect(scripts[index].includes(version)).toBe(true);
  }
  expect(scripts[3]).toContain(String.raw`\u003c/script>\u003cb>`);
  expect(page).toContain("default-src 'none'");
  const markup = page.replaceAll(/<script>[\s\S]*?<\/script>/g, '');
  expect(/(?:src|href|url)\s*[=(]/.test(markup)).toBe(false);
  expect(page.includes('sourceMappingURL')).toBe(false);
});

test('columns of words are left-aligned, columns of numbers right-aligned', async () => {
  const rows = [
    ['demo', 'full', '94.08', '-', 'runs/demo-0'],
    ['demo', '-', '94.1', '-', '/runs/demo-1'],
  ];
  const titles = ['experiment', 'scale', 'mean %', 'sd', 'kept in'];
  const page = await htmlPage('Runs', '', [
    { title: 'One', parts: [{ kind: 'table', titles, rows }] },
  ]);
  const words = [...page.matchAll(/<th class="words">([^<]*)/g)].map(([, title]) => title);
  expect(words).toEqual(['experiment', 'scale', 'kept in']);
});

test('pictures: embedded in the page, with their lines', async () => {
  const pictures = [{ png: Uint8Array.of(1, 2, 3), lines: ['<cat>', 'as dog'] }];
  const page = await htmlPage('Runs', '', [
    { title: 'One', parts: [{ kind: 'pictures', pictures }] },
  ]);
  expect(page).toContain('<img alt="&lt;cat&gt;" src="data:image/png;base64,AQID">');
  expect(page).toContain('<figcaption><b>&lt;cat&gt;</b><br>as dog</figcaption>');
});

test('plotly.js figures: the page contains the library, which draws them by name', async () => {
  const data: Data[] = [{ type: 'scatter', x: [1], y: [2], name: '</script>' }];
  const plot = { data, layout: {} };
  const page = await htmlPage('Runs', '', [
    { title: 'One', parts: [{ kind: 'plot', name: 'time', plot, caption: 'A point.' }] },
  ]);
  expect(page).toContain('<div class="plot" data-plotly="time"></div>');
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]);
  expect(scripts).toHaveLength(2);
  expect(scripts[0]).toContain('DecompressionStream');
  expect(scripts[1]).toContain(String.raw`\u003c/script>`);
});
