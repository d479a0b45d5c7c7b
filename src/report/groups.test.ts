import { describe, expect, test } from 'vitest';
import { ReportError } from '../base/errors';
import { findExperiment } from '../catalogue/catalogue';
import { compareGroups, reportRuns } from './groups';
import { reportPage } from './report-page';
import { comparisonText, reportJson, reportText } from './report-text';
import type { Run } from '../runs/run';
import { epochRow } from '../../test/epoch-row';

const busy = { wallSec: 100, cpuSec: 120, othersSec: 60, cores: 2 };
const quiet = { wallSec: 100, cpuSec: 195, othersSec: 1, cores: 2 };
const run = (
  record: string,
  seed: number,
  accPercent: number | undefined,
  more: Partial<Run> = {},
): Run => ({
  path: `runs/${record}-${seed}`,
  name: record,
  scale: 'full',
  seed,
  overrides: [],
  mode: 'captured',
  precision: 'bf16',
  xla: false,
  threads: 2,
  machine: 'one machine',
  started: `2026-11-30T0${seed}`,
  load: quiet,
  experiment: findExperiment(record),
  rows: [epochRow(1, 0.5), epochRow(2, (accPercent ?? 0) / 100)],
  ...(accPercent === undefined
    ? {}
    : { result: { accPercent, trainSec: 70 + seed, imagesPerSec: 100 } }),
  ...more,
});

const demos = [94.37, 94.33, 94.04, 93.95].map((acc, seed) => run('demo', seed, acc));
const others = [94.2, 94.1, 94.0, 93.7].map((acc, seed) => run('post8-final', seed, acc));

describe('reportRuns', () => {
  test('summarises each experiment, and counts runs at the goal', () => {
    const { groups } = reportRuns([...demos, ...others]);
    expect(groups.map(({ label, acc }) => [label, acc.count, acc.reached])).toEqual([
      ['demo', 4, 3],
      ['post8-final', 4, 3],
    ]);
    expect(groups[0].acc.mean).toBeCloseTo(94.1725, 10);
    expect(groups[0].time).toMatchObject({ mean: 71.5, reached: null });
    expect(reportRuns(demos, { goal: 94.3 }).groups[0].acc.reached).toBe(2);
  });

  test('accuracies half-way between two figures round to the even one, as in train', async () => {
    const report = reportRuns([run('demo', 0, 94.125)]);
    expect(reportText(report)).toMatch(/^demo +1 +94\.12 +- +94\.12 /m);
    expect(await reportPage(report)).toMatch(/<td[^>]*>94\.12<\/td>/);
  });

  test('labels show changes, even if all runs share them', () => {
    const changed = demos.map((each) => ({ ...each, overrides: ['run.epochs=1'] }));
    expect(reportRuns(changed).groups.map(({ label }) => label)).toEqual(['demo@run.epochs=1']);
  });

  test('a run shortened to fit a budget does not count as a full-length run', () => {
    const short = run('demo', 9, 92, { budget: { seconds: 600, spentSec: 40 } });
    const groups = reportRuns([...demos, short]).groups.map(({ label, acc }) => [label, acc.count]);
    expect(groups).toEqual([
      ['demo@as-published', 4],
      ['demo@budget=600', 1],
    ]);
  });

  test('of runs with the same seed, the latest counts', () => {
    const again = run('demo', 1, 94.5, { path: 'runs/demo-1-2', started: '2026-12-01' });
    const { groups, repeated } = reportRuns([again, ...demos]);
    expect(groups[0].acc.count).toBe(4);
    expect(groups[0].runs.map(({ path }) => path)).toContain('runs/demo-1-2');
    expect(repeated.map(({ path }) => path)).toEqual(['runs/demo-1']);
  });

  test.each<readonly [what: string, other: Partial<Run>, labels: readonly string[]]>([
    ['XLA', { xla: true }, ['demo@no-xla', 'demo@xla']],
    ['the device', { device: 'gpu' }, ['demo@cpu', 'demo@gpu']],
  ])('runs of one seed that differ in %s are not repetitions', (_, other, labels) => {
    const later = run('demo', 0, 94.5, { ...other, started: '2026-12-01' });
    const { groups, repeated } = reportRuns([demos[0], later]);
    expect(repeated).toEqual([]);
    expect(groups.map(({ label }) => label)).toEqual(labels);
    expect(groups[1]).toMatchObject({ label: labels[1], acc: { mean: 94.5 }, ...other });
  });

  test('a stored result without a device joins the runs on the default device of its machine', () => {
    const machine = 'Xeon, 16 cores, 126 GB, NVIDIA H200 (driver 580.1)';
    const found = [run('demo', 0, 94, { machine }), run('demo', 1, 95, { machine, device: 'gpu' })];
    expect(reportRuns(found).groups.map(({ label, acc }) => [label, acc.count])).toEqual([
      ['demo', 2],
    ]);
  });

  test('runs that differ in more than their seed form separate groups, and labels show the difference', () => {
    const labels = reportRuns([
      ...demos,
      run('demo', 0, 94, { precision: 'fp32' }),
      run('demo', 0, 81, { scale: 'pocket' }),
      run('demo', 0, 94, { overrides: ['optim.momentum=0.8'] }),
      ...others,
    ]).groups.map(({ label }) => label);
    expect(labels).toEqual([
      'demo@full@bf16@as-published',
      'demo@full@fp32@as-published',
      'demo@pocket@bf16@as-published',
      'demo@full@bf16@optim.momentum=0.8',
      'post8-final',
    ]);
    expect(reportRuns([...demos, run('demo', 0, 94, { precision: 'fp32' })]).groups[1].label).toBe(
      'demo@fp32',
    );
  });

  test('throws if no run is finished', () => {
    expect(() => reportRuns([run('demo', 0, undefined)])).toThrow(
      new ReportError(
        'report: none of 1 run is finished. Finish one first: npx cifar10-fast train --resume runs/demo-0',
      ),
    );
  });
});

describe('runs that diverged', () => {
  const failed = run('demo', 4, undefined, {
    failure: { epoch: 2, step: 7, message: 'train: the loss is NaN' },
  });

  test('are counted but excluded from the statistics', async () => {
    const report = reportRuns([...demos, failed]);
    expect(report.groups[0].acc.count).toBe(4);
    expect(report.groups[0].diverged).toEqual([failed]);
    expect(report.unfinished).toEqual([]);
    expect(reportText(report)).toContain(
      'demo: 1 of 5 diverged (seed 4 in epoch 2, step 7); excluded from the statistics.',
    );
    expect(await reportPage(report)).toContain('demo: 1 of 5 diverged');
    expect(reportJson(report)).toMatchObject({
      groups: [{ diverged: [{ seed: 4, epoch: 2, step: 7, folder: 'runs/demo-4' }] }],
    });
  });

  test('are reported even if no other run of the kind is finished', () => {
    const other = { ...failed, overrides: ['optim.lr=9'], name: 'post8-final' };
    expect(reportText(reportRuns([...demos, other]))).toContain(
      'post8-final: 1 of 1 diverged (seed 4 in epoch 2, step 7).',
    );
    expect(() => reportRuns([other])).toThrow(
      'report: none of 1 run is finished, 1 diverged. Train one to completion first.',
    );
  });

  test('count with the previous epoch if the experiment may diverge', () => {
    const stress = run('demo', 5, 40, {
      result: { accPercent: 40, trainSec: 9, imagesPerSec: 100, divergedIn: 3 },
    });
    const report = reportRuns([...demos, stress]);
    expect(report.groups[0].acc.count).toBe(5);
    expect(reportText(report)).toContain(
      'demo: 1 of 5 diverged (seed 5 in epoch 3); their figures are from the previous epoch.',
    );
  });

  test('are superseded by a later run with the same seed', () => {
    const again = run('demo', 4, 94, { started: '2026-12-01' });
    const report = reportRuns([...demos, failed, again]);
    expect(report.groups[0].diverged).toEqual([]);
    expect(report.repeated).toEqual([failed]);
  });
});

test('the table, with a note on unfinished runs', () => {
  const text = reportText(
    reportRuns([
      ...demos,
      ...others.slice(0, 1),
      run('demo', 9, undefined, { rows: [epochRow(1, 0.5)] }),
    ]),
  );
  expect(text.split('\n')).toEqual([
    'experiment   n  mean %    sd  median   95 % interval  >= 94 %             published  training s  images/s',
    'demo         4   94.17  0.21   94.19  93.84 to 94.50      3/4  94.08 %, 35/50, 79 s  71.5 ± 1.3       100',
    'post8-final  1   94.20     -   94.20               -      1/1          94.1 %, 26 s        70.0       100',
    '',
    '5 runs at full scale, bf16, on one machine.',
    '1 run is not finished: runs/demo-9 (1 of 24 epochs).',
  ]);
});

test('runs on different machines form separate groups and keep their seeds', () => {
  const slow = [0, 1].map((seed) => run('demo', seed, 94, { machine: 'AMD EPYC, 2 cores, 24 GB' }));
  const newer = { machine: 'AMD EPYC, 8 cores, 24 GB', started: '2027-01-01' };
  const fast = run('demo', 0, 94.4, {
    ...newer,
    result: { accPercent: 94.4, trainSec: 10, imagesPerSec: 800 },
  });
  const report = reportRuns([...slow, fast]);
  expect(report.repeated).toEqual([]);
  expect(report.groups.map(({ label, time }) => [label, time?.mean])).toEqual([
    ['demo@AMD-EPYC-2-cores', 70.5],
    ['demo@AMD-EPYC-8-cores', 10],
  ]);
  const text = reportText(report);
  expect(text).toMatch(/^experiment +machine +n /);
  expect(text).toMatch(/demo@AMD-EPYC-8-cores +AMD-EPYC-8-cores +1 +94.40/);
  expect(text).toContain('Seconds and images/s of different machines are not comparable');
});

test('notes: several machines, scales without published figures, different numbers of threads, repeated seeds', () => {
  const text = reportText(
    reportRuns([
      run('demo', 0, 81, { scale: 'pocket' }),
      run('demo', 1, 82, { scale: 'pocket', threads: 1 }),
      run('demo', 1, 82, { scale: 'pocket', path: 'old', started: '2026' }),
      run('post8-final', 1, 82, { scale: 'pocket', machine: 'another machine' }),
    ]),
  );
  expect(text).toContain('3 runs at pocket scale, bf16, on one machine; another machine.');
  expect(text).toContain('Published figures are for full scale on one V100;');
  expect(text).toContain(
    'demo mixes runs with different numbers of threads, which change results and seconds',
  );
  expect(text).toContain(
    '1 run was excluded, as a later run on the same machine has the same seed: old.',
  );
});

test('notes: times that include preprocessing', () => {
  const [first, ...rest] = demos;
  const note = "Times of runs/demo-0 follow DAWNBench's rule, which includes preprocessing";
  expect(reportText(reportRuns([{ ...first, timer: 'dawnbench' }, ...rest]))).toContain(note);
  expect(reportText(reportRuns(demos))).not.toContain('DAWNBench');
});

describe('comparing', () => {
  const report = reportRuns([...demos, ...others]);

  test('compares the same seeds in pairs', () => {
    const comparison = compareGroups(report, 'demo', 'post8-final');
    // scipy.stats.ttest_rel([94.37, 94.33, 94.04, 93.95], [94.2, 94.1, 94.0, 93.7]), SciPy 1.17.1.
    expect(comparison.test).toBe('paired');
    expect(comparison.p).toBeCloseTo(0.03561509635823029, 8);
    expect(comparisonText('demo', 'post8-final', comparison).split('\n')).toEqual([
      'demo minus post8-final: +0.173 percentage points of test accuracy (4 pairs of runs with the same seeds, paired t-test).',
      expect.stringMatching(
        /^95 % interval \+0\.0\d\d to \+0\.3\d\d; t = 3\.\d\d, 3 degrees of freedom, p = 0\.03\d\d: significant\.$/,
      ),
      expect.stringMatching(
        /^If the true difference and spread \(0\.09\d\) are these, \d runs of each detect it with 80 % probability\.$/,
      ),
    ]);
  });

  test('asks for more runs if each group has only one', () => {
    const single = reportRuns([demos[0], others[0]]);
    const text = comparisonText(
      'demo',
      'post8-final',
      compareGroups(single, 'demo', 'post8-final'),
    );
    expect(text).toMatch(/More runs are needed to say whether that is significant\.$/);
  });

  test('names the nearest label if there is no such group', () => {
    expect(() => compareGroups(report, 'demo', 'post8-fnal')).toThrow(
      new ReportError(
        'report: there are no finished runs named "post8-fnal". Nearest: "post8-final". ' +
          'Groups with finished runs: demo, post8-final.',
      ),
    );
  });
});

describe('times of runs that shared the processor', () => {
  const [first, second, third, fourth] = demos;
  const { load: _, ...unknown } = fourth;
  const mixed = reportRuns([first, { ...second, load: busy }, third, unknown]);

  test('are excluded from the means, as are those of runs without a load; accuracies count', () => {
    const [{ acc, time, untimed }] = mixed.groups;
    expect(acc.count).toBe(4);
    expect(time).toMatchObject({ count: 2, mean: 71 });
    expect(untimed.map(({ path }) => path)).toEqual(['runs/demo-1', 'runs/demo-3']);
    expect(reportText(mixed)).toContain(
      'Times of 2 runs are excluded because other programs used more than 5 % of the processor, or an unknown share: ' +
        'runs/demo-1, runs/demo-3.',
    );
    expect(reportText(reportRuns(demos))).not.toContain('left out');
  });

  test('are named up to a limit', () => {
    const many = Array.from({ length: 9 }, (_, seed) => run('demo', seed, 94, { load: busy }));
    expect(reportText(reportRuns(many))).toContain(
      'share: runs/demo-0, runs/demo-1, runs/demo-2 and 6 more.',
    );
  });

  test('are a dash if no run is left', async () => {
    const all = reportRuns([{ ...first, load: busy }]);
    expect(all.groups[0]).toMatchObject({ time: null, imagesPerSec: null });
    const [, line] = reportText(all).split('\n');
    expect(line).toMatch(/ - +-$/);
    expect(await reportPage(all)).toContain(
      'No times count: during every run, other programs used more than 5 % of the processor',
    );
  });

  test('are not in the chart of the page, and the list of all runs shows why', async () => {
    const page = await reportPage(mixed);
    expect(page).toContain('Excluded, as times do not count: 2 runs.');
    expect(page).toMatch(/<td[^>]*>30\.0<\/td>/);
    expect(page).toMatch(/<td[^>]*>0\.5<\/td>/);
  });
});

test('as JSON, without the epochs', () => {
  const json = reportJson(reportRuns([...demos, run('demo', 8, undefined)])) as {
    groups: { runs: unknown[]; published: unknown }[];
  };
  expect(json).toMatchObject({ goal: 94, level: 0.95, unfinished: ['runs/demo-8'], repeated: [] });
  expect(json.groups[0].runs[1]).toEqual({
    seed: 1,
    accPercent: 94.33,
    trainSec: 71,
    imagesPerSec: 100,
    load: quiet,
    folder: 'runs/demo-1',
  });
});

test('as a page: tables, a chart of each kind, every run; published marks at full scale only', async () => {
  const page = await reportPage(reportRuns([...demos, ...others]), ['demo', 'post8-final']);
  expect(page).toContain('<h2>demo and post8-final</h2>');
  // Accuracies; accuracy and loss, each as training beside test.
  expect([...page.matchAll(/class="chart"/g)]).toHaveLength(5);
  expect([...page.matchAll(/class="beside"/g)]).toHaveLength(2);
  expect([...page.matchAll(/class="plot"/g)]).toHaveLength(1);
  expect(page).toContain('Every run (8)');
  expect(page).toContain('Diamonds: published figures, on one V100.');
  const small = await reportPage(
    reportRuns(demos.map((one): Run => ({ ...one, scale: 'pocket', rows: [] }))),
  );
  expect(small).not.toContain('Diamonds');
  expect([...small.matchAll(/class="chart"/g)]).toHaveLength(1);
  const mixed = await reportPage(
    reportRuns([...demos, ...others.map((one) => ({ ...one, rows: [] }))]),
  );
  expect(mixed).toContain('Not drawn, as their epochs were not stored: post8-final.');
});

test('published figures come with the hardware that they were measured on', async () => {
  const hiverge = run('hiverge', 0, 94);
  expect(await reportPage(reportRuns([hiverge]))).toContain('published figures, on one A100.');
  expect(await reportPage(reportRuns([hiverge, ...demos]))).toContain(
    'published figures, on one A100 or V100.',
  );
  const small = reportText(reportRuns([{ ...hiverge, scale: 'pocket' }]));
  expect(small).toContain('Published figures are for full scale on one A100;');
});
