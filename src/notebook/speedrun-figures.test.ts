import { expect, test } from 'vitest';
import type { AblationRow } from '../report/ablation';
import type { AccuracyPoint } from '../report/frontier-points';
import { ablationFigure } from './ablation-figure';
import { ablationTable, stepTable } from './evidence-tables';
import { frontier, frontierFigure } from './frontier-figure';
import { frontierPicture } from './frontier-picture';

const points: readonly AccuracyPoint[] = [
  {
    from: 'here',
    recipe: 'fastest',
    epochs: 1,
    pflop: 0.02,
    accPercent: 84,
    low: 83.5,
    high: 84.5,
    runs: 3,
    hardware: 'A, 2 cores',
    seconds: '40 s',
  },
  { from: 'here', recipe: 'fastest', epochs: 9, pflop: 0.18, accPercent: 94, hardware: 'A' },
  { from: 'here', recipe: 'hiverge', pflop: 0.25, accPercent: 94, hardware: 'A' },
  { from: 'published', recipe: 'hiverge', pflop: 0.25, accPercent: 94, hardware: 'one A100' },
];

test('the frontier has a line for one recipe, and marks for others and published ones, on an error axis', () => {
  const { traces, layout } = frontierFigure(points);
  expect(traces.map(({ name, x, y }) => [name, x, y])).toEqual([
    ['fastest, at several lengths', [0.02, 0.18], [16, 6]],
    ['other experiments, run here', [0.25], [6]],
    ['published', [0.25], [6]],
  ]);
  // Up is better: the error axis is reversed, so the bar towards less error points up.
  // A point without an interval has no bar, not even one of length 0, which plotly.js draws as a dash.
  expect(traces[0].error_y).toMatchObject({ array: [0.5, null], arrayminus: [0.5, null] });
  expect(layout.xaxis?.ticktext).toEqual([...(layout.xaxis?.tickvals ?? [])].map(String));
  const { tickvals, ticktext } = layout.yaxis ?? {};
  expect([...(tickvals ?? [])].map((error) => String(100 - Number(error)))).toEqual(ticktext);
  expect((traces[0].text ?? [])[0]).toBe(
    '<b>fastest</b>, 1 epoch<br>84.00 % (83.50 to 84.50), n = 3<br>0.0200 PFLOP<br>A, 2 cores<br>40 s',
  );
});

test('the frontier has a picture and text for pages without scripts', async () => {
  const { bundle } = await frontier(points);
  expect(Object.keys(bundle)).toEqual(['text/html', 'image/png', 'text/plain']);
  expect(bundle['text/plain']).toContain('fastest (9 epochs) 94.00 % with 0.180 PFLOP');
});

test('the picture names each length of fastest, and other recipes once, at the shortest', async () => {
  const [shortest] = points;
  const published = [points[3], { ...points[3], recipe: 'hiverge, 7 epochs', pflop: 0.2 }];
  const step = 'speedrun-batch-1024';
  const { bundle } = await frontierPicture([
    ...points.slice(0, 3),
    ...[0.18, 0.09, 0.02].map((pflop) => ({ ...shortest, recipe: step, pflop })),
    { ...shortest, recipe: step, pflop: 0.185, accPercent: 94.1 },
    ...published,
  ]);
  const { vconcat } = bundle['application/vnd.vegalite.v5+json'] as {
    vconcat: { data: { values: { label: string; pflop: number }[] } }[];
  };
  const labels = vconcat.map(({ data }) =>
    data.values.flatMap(({ label, pflop }) => (label === '' ? [] : [`${label} ${pflop}`])),
  );
  expect(labels).toEqual([
    ['1 epoch 0.02', 'batch-1024 0.02'],
    ['fastest 0.18', 'hiverge 0.25', 'batch-1024 0.185', 'hiverge, 2 lengths 0.2'],
  ]);
});

test('the ablations of a length share a label; labels beside others move down a little, or are removed', async () => {
  const [shortest] = points;
  const marks = [
    { ...shortest, recipe: 'speedrun-without-muon', pflop: 0.021, accPercent: 71 },
    { ...shortest, recipe: 'speedrun-without-dirac', pflop: 0.021, accPercent: 83 },
    { ...shortest, recipe: 'speedrun-batch-1024', pflop: 0.021, accPercent: 82.9 },
    { ...shortest, recipe: 'fulcrum', pflop: 0.022, accPercent: 82.8 },
    { ...shortest, recipe: 'hiverge', pflop: 0.023, accPercent: 82.75 },
    { ...shortest, recipe: 'demo', pflop: 2.4, accPercent: 82.7 },
  ];
  const { bundle } = await frontierPicture(marks);
  const { vconcat } = bundle['application/vnd.vegalite.v5+json'] as {
    vconcat: { data: { values: { label: string; nudge: number }[] } }[];
  };
  const labels = vconcat[0].data.values.map(({ label, nudge }) => [label, Math.round(nudge)]);
  expect(labels).toEqual([
    ['ablations, 1 epoch', 0],
    ['', 0],
    ['batch-1024', 0],
    ['fulcrum', 10],
    ['', 0],
    ['demo', 0],
  ]);
});

test('labels near 94 % make room for each other, too', async () => {
  const [shortest] = points;
  const { bundle } = await frontierPicture([
    { ...shortest, recipe: 'fastest', pflop: 0.17, accPercent: 94.1 },
    { ...shortest, recipe: 'speedrun-jitter', pflop: 0.222, accPercent: 93.95 },
    { ...shortest, recipe: 'speedrun-silu', pflop: 0.222, accPercent: 93.94 },
  ]);
  const { vconcat } = bundle['application/vnd.vegalite.v5+json'] as {
    vconcat: { data: { values: { label: string; nudge: number }[] } }[];
  };
  const [, { data }] = vconcat;
  const [, jitter, silu] = data.values;
  expect([jitter.label, silu.label]).toEqual(['jitter', 'silu']);
  expect(jitter.nudge).toBe(-6);
  expect(silu.nudge).toBeGreaterThan(-6);
  expect(silu.nudge).toBeLessThan(6);
});

test('an ablation without runs is named in the text, and has no mark', async () => {
  const rows: readonly AblationRow[] = [
    {
      name: 'speedrun-without-muon',
      title: '',
      runs: 3,
      baseRuns: 3,
      difference: -3.77,
      low: -4.6,
      high: -2.9,
      verdict: 'lower',
    },
    { name: 'speedrun-with-cutout', title: '', runs: 0, baseRuns: 3, verdict: 'no run yet' },
  ];
  const { bundle } = await ablationFigure(rows, { title: 'After one epoch', base: 'fastest' });
  expect(bundle['text/plain']).toBe(
    'After one epoch: without-muon -3.77 (-4.60 to -2.90), lower; with-cutout, no run yet',
  );
  const { layer } = bundle['application/vnd.vegalite.v5+json'] as {
    layer: { data: { values: { label: string }[] } }[];
  };
  const labels = layer.map(({ data }) => data.values.map(({ label }) => label));
  expect(labels.slice(1)).toEqual([['without-muon (3 vs. 3)'], ['without-muon (3 vs. 3)']]);
});

test('a sentence replaces the figure if no ablation was run', async () => {
  const rows: readonly AblationRow[] = [
    { name: 'speedrun-with-cutout', title: '', runs: 0, baseRuns: 3, verdict: 'no run yet' },
  ];
  const { bundle } = await ablationFigure(rows, { title: 'A whole run', base: 'fastest' });
  expect(bundle).toEqual({
    'text/html': '<p>A whole run: none of the 1 has a run yet.</p>',
    'text/plain': 'A whole run: none of the 1 has a run yet.',
  });
  expect(ablationTable(rows).bundle).toEqual({
    'text/html': '<p>No run yet: speedrun-with-cutout.</p>',
    'text/plain': 'No run yet: speedrun-with-cutout.',
  });
});

test('the axis of an ablation has no labels in powers of ten', async () => {
  const row = { name: 'speedrun-without-muon', title: '', runs: 1, baseRuns: 1 };
  const { bundle } = await ablationFigure([{ ...row, difference: -10.5, verdict: 'n too small' }], {
    title: 'One',
    base: 'fastest',
  });
  const svg = JSON.stringify(bundle['application/vnd.vegalite.v5+json']);
  expect(svg).not.toContain('~g');
});

test('tables show the verdicts, and what has no run yet', () => {
  const row = { name: 'speedrun-with-cutout', title: 'cutout', runs: 3, baseRuns: 4 };
  const table = ablationTable([
    { ...row, difference: -0.05, low: -0.4, high: 0.3, verdict: 'cannot tell', runsNeeded: 1200 },
    { ...row, runs: 0, verdict: 'no run yet' },
  ]);
  const text = String(table.bundle['text/plain']);
  expect(text).toMatch(/cutout +3 vs\. 4 +-0\.05 +-0\.40 to 0\.30 +cannot tell +1,200/);
  expect(text).toMatch(/\nNo run yet: speedrun-with-cutout\.$/);
  const steps = stepTable([
    { step: 'fastest', title: 't', epochs: 9, runs: 0, pflop: 0.18446 },
    { step: 'hiverge', title: 't', epochs: 7.59, runs: 1, accPercent: 94, published: '94 %' },
  ]);
  expect(String(steps.bundle['text/plain'])).toMatch(
    /fastest +t +9\.00 +0 +no run yet +0\.184 +– +–/,
  );
});
