import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseResult } from '../src/runs/run-file';

/** scripts/readme.mjs, which writes the generated parts of README.md and docs/. */
const root = resolve(__dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'cifar10-fast-readme-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function readmeScript(...args: string[]): Ended {
  const script = join(root, 'scripts/readme.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const result = {
  record: 'demo',
  scale: 'pocket',
  seed: 0,
  accPercent: 81.5,
  trainSec: 100,
  imagesPerSec: 2000.4,
  precision: 'bf16',
  threads: 2,
  hardware: 'AMD EPYC, 2 cores, AVX-512 BF16, 24 GB',
  tensorflow: '2.21.0',
  node: '20.20.2',
  date: '2026-11-30',
};

const sections: Readonly<Record<string, readonly string[]>> = {
  'README.md': ['headline', 'full'],
  'docs/results.md': ['results', 'directions'],
  'docs/fastest.md': ['sample'],
  'docs/bench.md': ['speed', 'fastest-step', 'airbench', 'whole'],
  'docs/engine.md': ['models'],
  'docs/gpu.md': ['gpu'],
};

/** A checkout with empty pages and these results. */
function checkout(results: readonly object[]): string {
  const folder = mkdtempSync(join(scratch, 'checkout-'));
  mkdirSync(join(folder, 'results'));
  mkdirSync(join(folder, 'docs'));
  for (const [index, one] of results.entries()) {
    writeFileSync(join(folder, `results/${index}.json`), JSON.stringify(one));
  }
  for (const [page, names] of Object.entries(sections)) {
    const marks = names.map(
      (name) => `<!-- ${name}: written by scripts/readme.mjs -->\n\nold\n\n<!-- /${name} -->\n`,
    );
    writeFileSync(join(folder, page), `# x\n\n${marks.join('\n')}`);
  }
  return folder;
}

/** The text of a section, without the padding of its tables. */
function section(folder: string, name: string): string {
  const [page = ''] = Object.entries(sections).find(([, names]) => names.includes(name)) ?? [];
  const [, text] = readFileSync(join(folder, page), 'utf8').split(
    new RegExp(`<!-- /?${name}(?:: .*)? -->`),
  );
  return text.trim().replaceAll(/ {2,}/g, ' ').replaceAll(/-{3,}/g, '---');
}

function written(results: readonly object[]): string {
  const folder = checkout(results);
  expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
  return folder;
}

test('the pages match the committed runs', () => {
  expect(readmeScript('--check')).toEqual({ status: 0, stdout: '', stderr: '' });
});

test('a page that differs is an error of --check, until it is written', () => {
  const folder = checkout([result]);
  expect(readmeScript('--root', folder, '--check')).toMatchObject({
    status: 1,
    stderr: 'readme: README.md differs from its sources. Run: node scripts/readme.mjs\n',
  });
  readmeScript('--root', folder);
  expect(readmeScript('--root', folder, '--check').status).toBe(0);
});

test('without runs, the pages say that there are none', () => {
  const folder = written([]);
  for (const name of ['headline', 'results', 'directions', 'sample'])
    expect(section(folder, name)).toBe('_no committed runs yet_');
  for (const name of ['speed', 'fastest-step', 'airbench', 'whole', 'models', 'gpu'])
    expect(section(folder, name)).toBe('_not measured yet_');
});

test('results show mean, spread and number of runs, the times of undisturbed runs, and a count of single runs', () => {
  const folder = written([
    { ...result, alone: true },
    { ...result, seed: 1, accPercent: 82.5, trainSec: 104, node: '22.1.0', alone: true },
    {
      ...result,
      seed: 2,
      accPercent: 82,
      trainSec: 999,
      load: { wallSec: 999, cpuSec: 1, othersSec: 101, cores: 2 },
    },
    { ...result, precision: 'fp32', accPercent: 80.125, trainSec: 150.25 },
    { ...result, seed: 3, threads: 1, accPercent: 81, trainSec: 200 },
    { ...result, record: 'post1-baseline', accPercent: 83, hardware: 'B' },
    { ...result, record: 'one-of-mine', scale: 'full', overrides: ['run.epochs=3'] },
    { ...result, record: 'one-of-mine', accPercent: 70, budgetSec: 600 },
    { ...result, scale: 'smoke', accPercent: 20, trainSec: 2 },
  ]);
  const others = '`npx cifar10-fast report results` prints them.';
  const head = [
    '| experiment | published % (full) | scale | runs | test accuracy % | training s | precision | threads |',
    `|${' --- |'.repeat(8)}`,
  ];
  expect(section(folder, 'results')).toBe(
    [
      'AMD EPYC, 2 cores, AVX-512 BF16, 24 GB; TensorFlow 2.21.0, Node 20.20.2, 22.1.0\n',
      ...head,
      '| `demo` | 94.08 | pocket | 3 | 82.00 ± 0.50 | 102.0 ± 2.8 | bf16 | 2 |',
      '| `one-of-mine` `run.epochs=3` | - | full | 1 | 81.50 | - | bf16 | 2 |',
      `\nSingle runs below full scale without a training time are not shown: 3 at pocket scale, 1 at smoke scale. ${others}\n`,
      'B; TensorFlow 2.21.0, Node 20.20.2\n',
      `Single runs below full scale without a training time are not shown: 1 at pocket scale. ${others}`,
    ].join('\n'),
  );
});

describe('the headline', () => {
  const full = { ...result, record: 'fastest', scale: 'full', pflop: 0.1845 };

  test('pools accuracy over machines, and shows the time on each', () => {
    const folder = written([
      { ...full, accPercent: 94, trainSec: 207, alone: true },
      { ...full, accPercent: 94.2, trainSec: 400, seed: 1 },
      { ...full, accPercent: 94.4, trainSec: 1500, hardware: 'B', precision: 'fp32', alone: true },
      {
        ...full,
        accPercent: 94.2,
        trainSec: 13,
        hardware: 'C, 16 cores, AMX BF16, 126 GB, NVIDIA H200 (driver 580.1)',
        pflop: 0.1937,
        alone: true,
      },
      { ...full, accPercent: 10, overrides: ['run.epochs=1'] },
      { ...full, accPercent: 10, budgetSec: 600 },
      { ...full, accPercent: 10, scale: 'pocket' },
      { ...full, accPercent: 10, record: 'fulcrum' },
    ]);
    expect(section(folder, 'headline')).toBe(
      '**94.20 % test accuracy**, the mean of 4 runs (PFLOP: 0.1845 on CPUs, 0.1937 on GPUs), of which 4 reached 94 %; the lowest was 94.00 %. ' +
        'Time of the runs known to have had the machine to themselves (3 of 4):\n\n' +
        '- **207 s of training** on AMD EPYC, 2 cores, AVX-512 BF16, 24 GB, in bf16 (one run)\n' +
        '- **13 s of training** on NVIDIA H200, in bf16 (one run)\n' +
        '- **1500 s of training** on B, in fp32 (one run)',
    );
    const rows = section(folder, 'full').split('\n');
    expect(rows).toContain(
      '| `fastest` | - | 94.20 ± 0.16 % | 4 | 207 s (AMD EPYC, 2 cores, AVX-512 BF16, 24 GB); 13 s (NVIDIA H200); 1500 s (B) |',
    );
    expect(rows).toContain('| `demo` | 94.08 % in 79 s, one V100 | - | 0 | - |');
  });

  test('comes with a sample: interval and runs at 94 %', () => {
    const accs = [94.21, 94.07, 94.16, 93.9];
    const folder = written([
      ...accs.map((accPercent, seed) => ({ ...full, seed, accPercent })),
      { ...full, record: 'fulcrum', accPercent: 93.99 },
    ]);
    // By hand: deviation 0.1362, t of 3 degrees of freedom 3.182, so the interval is the mean 94.085 +- 0.217.
    const rows = section(folder, 'sample').split('\n');
    expect(rows).toContain('| mean test accuracy % | 94.08 |');
    expect(rows).toContain('| 95 % interval of the mean | 93.87 to 94.30 |');
    expect(rows).toContain('| runs at 94 % | 3 of 4 |');
    expect(rows).toContain('| PFLOP a run | 0.1845 |');
    expect(rows).toContain('| training, alone on the machine | - |');
  });
});

test('directions compare the steps of the study with the published ones, and changes with noise', () => {
  let seed = 0;
  const named = (record: string, ...accs: readonly number[]): readonly object[] =>
    accs.map((accPercent) => ({ ...result, record, seed: (seed += 1), accPercent }));
  const folder = written([
    // demo does not count: its spread is a tenth of the others'.
    ...named('demo', 80.9, 81, 81.1),
    ...named('post4-no-repeat', 40),
    ...named('post4-conv-3x3', 60, 62, 64),
    ...named('post4-max-pool', 62, 64, 66),
    ...named('post4-global-max-pool', 50, 51, 52),
    ...named('post8-ghost-20', 70, 70.5),
    ...named('post8-bias-64-18', 79, 79.5),
  ]);
  const text = section(folder, 'directions');
  // By hand: the difference of two means of three, both with deviation 2, has an error of √(8/3) and 4 degrees of
  // freedom, so t is 2.776 and the interval ± 4.53; with deviations 2 and 1, an error of √(5/3), 2.94 and ± 4.16.
  for (const row of [
    'Steps not compared because no two runs of each side share machine, precision and threads: 1.',
    '| `post4-conv-3x3` | `post4-max-pool` | +4.09 | +2.00 | -2.53 to +6.53 | 3, 3 | within noise |',
    '| `post4-max-pool` | `post4-global-max-pool` | +0.94 | -13.00 | -17.16 to -8.84 | 3, 3 | other |',
    '| `post8-ghost-20` | `post8-bias-64-18` | - | +9.00 | +7.48 to +10.52 | 2, 2 | - |',
  ]) {
    expect(text).toContain(row);
  }
});

describe('directions', () => {
  const runs = (record: string, accs: readonly number[], how: object = {}): readonly object[] =>
    accs.map((accPercent, seed) => ({ ...result, record, seed, accPercent, ...how }));
  const row = (folder: string): string[] | undefined =>
    section(folder, 'directions')
      .split('\n')
      .find((line) => line.includes('`post4-conv-3x3` |'))
      ?.split(' | ')
      .slice(3);

  test('pair runs with the same seeds, as report --compare does', () => {
    // By hand: differences of 1, 2 and 3 have a mean of 2, a deviation of 1 and an error of 1/√3, and t of 2 degrees of
    // freedom is 4.303.
    const folder = written([
      ...runs('post4-no-repeat', [60, 70, 80]),
      ...runs('post4-conv-3x3', [61, 72, 83]),
    ]);
    expect(row(folder)).toEqual(['+2.00', '-0.48 to +4.48', '3, 3', 'within noise |']);
  });

  test('cannot tell without spread', () => {
    const folder = written([
      ...runs('post4-no-repeat', [60, 70]),
      ...runs('post4-conv-3x3', [62, 72]),
    ]);
    expect(row(folder)).toEqual(['+2.00', '-', '2, 2', 'cannot tell |']);
  });

  test('compare unchanged runs on one machine, in one precision, with one number of threads', () => {
    const folder = written([
      // The most runs of each side are changed, or elsewhere, or executed in another way than those of the other side.
      ...runs('post4-no-repeat', [1, 2, 3, 4], { overrides: ['optim.momentum=0.8'] }),
      ...runs('post4-no-repeat', [1, 2, 3, 5], { budgetSec: 60 }),
      ...runs('post4-no-repeat', [60, 70, 80, 81], { hardware: 'B' }),
      ...runs('post4-no-repeat', [60, 70, 80, 82], { precision: 'fp32' }),
      ...runs('post4-no-repeat', [60, 70, 80]),
      ...runs('post4-conv-3x3', [10, 20, 30, 40], { threads: 1, tensorflow: '2.20.0' }),
      ...runs('post4-conv-3x3', [10, 20, 30, 40], { xla: true }),
      ...runs('post4-conv-3x3', [61, 72, 83]),
    ]);
    expect(row(folder)).toEqual(['+2.00', '-0.48 to +4.48', '3, 3', 'within noise |']);
    const apart = written([
      ...runs('post4-no-repeat', [60, 70], { hardware: 'B' }),
      ...runs('post4-conv-3x3', [61, 72]),
    ]);
    expect(section(apart, 'directions')).toMatch(/^Steps not compared .*: 1\.$/);
  });
});

describe('of runs that report takes for repetitions, the tables count only the latest', () => {
  // results/ has three seeds of demo twice: the table had 8 runs, 81.43 ± 0.25, and report 5.
  const older = { ...result, date: '2026-11-23' };

  test('in the table of results', () => {
    const folder = written([
      { ...older, accPercent: 81.39 },
      { ...result, accPercent: 81.45 },
      { ...result, seed: 1, accPercent: 82.45 },
    ]);
    expect(section(folder, 'results')).toContain(
      '| `demo` | 94.08 | pocket | 2 | 81.95 ± 0.71 | - | bf16 | 2 |',
    );
  });

  test('in the headline and the sample', () => {
    const full = { record: 'fastest', scale: 'full' };
    const folder = written([
      { ...older, ...full, accPercent: 10 },
      { ...result, ...full, accPercent: 94 },
    ]);
    expect(section(folder, 'headline')).toContain('**94.00 % test accuracy**, the mean of one run');
    expect(section(folder, 'sample')).toContain('| runs | 1 |');
    expect(section(folder, 'full')).toContain('| `fastest` | - | 94.00 % | 1 | - |');
  });

  test('but XLA and another device are no repetition', () => {
    const hardware = 'C, 16 cores, 126 GB, NVIDIA H200 (driver 580.1)';
    const folder = written(
      [{}, { xla: true }, { device: 'cpu' }].map((how) => ({
        ...result,
        scale: 'full',
        hardware,
        ...how,
      })),
    );
    const rows = section(folder, 'results').split('\n').slice(-3);
    expect(rows).toEqual(
      ['bf16', 'bf16, XLA', 'bf16, on the CPU'].map(
        (precision) => `| \`demo\` | 94.08 | full | 1 | 81.50 | - | ${precision} | 2 |`,
      ),
    );
  });
});

test('speed shows the newest session on each machine, and how many times slower than ours each row is', () => {
  const folder = checkout([]);
  mkdirSync(join(folder, 'bench/results'), { recursive: true });
  const rows = [
    ['A', '2026-11-29 10:00', 'captured', '512', 'bf16', '9', '9', '9', '9'],
    ['A', '2026-11-30 10:00', 'PyTorch bf16 (screening)', '128', 'bf16', '2', '500', '1', ''],
    ['A', '2026-11-30 10:00', 'TF.js eager', '512', 'fp32', '6', '80', '182.4', '5607'],
    ['A', '2026-11-30 10:00', 'captured', '512', 'fp32', '6', '160.4', '364.6', '3000'],
    ['A', '2026-11-30 10:00', 'captured', '512', 'bf16', '6', '240', '547', '2119'],
    ['A', '2026-11-30 10:00', 'PyTorch autocast', '512', 'bf16', '5', '128', '291', '1991'],
    ['A', '2026-11-30 10:00', 'captured matmul', '', 'bf16', '6', '', '400', '790'],
    ['B', '2026-11-28 10:00', 'captured', '128', 'fp32', '10', '50', '114', '1000'],
  ];
  const titles = 'hardware,date,what,batch,precision,n,img/s,GFLOP/s,peak MB'.split(',');
  const lines = [titles, ...rows].map((cells) => `${cells.join('\t')}\n`);
  writeFileSync(join(folder, 'bench/results/step.tsv'), lines.join(''));
  expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
  const head = [
    '| batch | training step | n | images/s | GFLOP/s | times slower than ours | peak MB |',
    `|${' --- |'.repeat(7)}`,
  ];
  expect(section(folder, 'speed')).toBe(
    [
      'A, 2026-11-30\n',
      ...head,
      '| 512 | TF.js eager fp32 | 6 | 80 | 182 | 3.00 | 5607 |',
      '| 512 | captured fp32 | 6 | 160 | 365 | 1.50 | 3000 |',
      '| 512 | captured bf16 | 6 | 240 | 547 | 1.00 | 2119 |',
      '| 512 | PyTorch autocast | 5 | 128 | 291 | 1.88 | 1991 |',
      '\nB, 2026-11-28\n',
      ...head,
      '| 128 | captured fp32 | 10 | 50 | 114 | 1.00 | 1000 |',
    ].join('\n'),
  );
});

test('the step of fastest, the epoch of airbench94-muon and whole runs show how many times slower the others are', () => {
  const folder = checkout([]);
  mkdirSync(join(folder, 'bench/results'), { recursive: true });
  const write = (file: string, titles: string, rows: readonly (readonly string[])[]) =>
    writeFileSync(
      join(folder, 'bench/results', file),
      [titles.split(','), ...rows].map((cells) => `${cells.join('\t')}\n`).join(''),
    );
  write('speedrun.tsv', 'hardware,date,what,batch,precision,n,img/s,GFLOP/s,peak MB', [
    ['A', '2026-11-30 10:00', 'this build', '1024', 'fp32', '6', '500', '280', '1758'],
    ['A', '2026-11-30 10:00', 'build 0d90edb', '1024', 'fp32', '6', '400', '224', '3065'],
    ['A', '2026-11-30 10:00', 'PyTorch fp32', '1024', 'fp32', '6', '200', '112', '2605'],
  ]);
  write('airbench.tsv', 'hardware,date,what,precision,stage,n,s an epoch', [
    ['A', '2026-11-30 10:00', 'cifar10-fast', 'fp32', 'frozen', '4', '100.2'],
    ['A', '2026-11-30 10:00', 'PyTorch 2.15.0', 'fp32 channels-last', 'frozen', '4', '400.8'],
  ]);
  write('whole.tsv', 'hardware,date,what,recipe,precision,seed,accuracy %,training s,s', [
    ['A', '2026-11-30 10:00', 'cifar10-fast', 'fastest', 'fp32', '20', '94.10', '588.2', '600.0'],
    ['A', '2026-11-30 10:00', 'PyTorch 2.15.0', 'muon', 'fp32', '1', '94.01', '2900', '3000'],
  ]);
  expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
  const body = (name: string) => section(folder, name).split('\n').slice(4);
  expect(body('fastest-step')).toEqual([
    '| 1024 | this build fp32 | 6 | 500 | 280 | 1.00 | 1758 |',
    '| 1024 | build 0d90edb fp32 | 6 | 400 | 224 | 1.25 | 3065 |',
    '| 1024 | PyTorch fp32 | 6 | 200 | 112 | 2.50 | 2605 |',
  ]);
  expect(body('airbench')).toEqual([
    '| cifar10-fast fp32 | 4 | 100 | 1.00 |',
    '| PyTorch 2.15.0 fp32 channels-last | 4 | 401 | 4.00 |',
  ]);
  expect(body('whole')).toEqual([
    '| `fastest`, cifar10-fast fp32 | 94.10 | 588 | 600 | 1.00 |',
    '| `muon`, PyTorch 2.15.0 fp32 | 94.01 | 2900 | 3000 | 5.00 |',
  ]);
});

test('models show the newest session: model.fit beside accelerate in its fastest precision', () => {
  const folder = checkout([]);
  mkdirSync(join(folder, 'bench/results'), { recursive: true });
  const row = (what: string, precision: string, perSec: string, peak: string, day = 30): string =>
    ['A', `2026-11-${day} 10:00`, 'mnist', what, precision, '512', '5', perSec, peak].join('\t');
  const lines = [
    'hardware\tdate\tmodel\twhat\tprecision\tbatch\tn\tper second\tpeak MB',
    row('model.fit', 'fp32', '10', '1', 29),
    row('model.fit', 'fp32', '200.4', '1400'),
    row('accelerate', 'fp32', '500', '800'),
    row('accelerate', 'bf16', '701.4', '650'),
  ];
  writeFileSync(join(folder, 'bench/results/models.tsv'), lines.join('\n'));
  expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(section(folder, 'models').split('\n').at(0)).toBe('A, 2026-11-30');
  expect(section(folder, 'models').split('\n').at(-1)).toBe(
    '| mnist | 512 | 5 | 200 | 701 | bf16 | 3.5 | - | 1400 | 650 |',
  );
});

test('epochs on a GPU are a table of the newest session, the fastest variant first', () => {
  const folder = checkout([]);
  mkdirSync(join(folder, 'bench/results'), { recursive: true });
  const row = (day: number, variant: string, peer: string, perSec: number): string =>
    ['A', `2026-11-${day} 10:00`, variant, peer, 4, perSec, 0.5, 0.4, 30].join('\t');
  const lines = [
    'hardware\tdate\tvariant\tpeer\tn\timages/s\tmedian epoch s\tbest epoch s\twarm-up s',
    row(29, 'old', 'TensorFlow 2', 900),
    row(30, 'PyTorch bf16', 'PyTorch 2.11', 99_000),
    row(30, 'bf16, XLA', 'TensorFlow 2.21.0', 100_000),
  ];
  writeFileSync(join(folder, 'bench/results/gpu.tsv'), lines.join('\n'));
  expect(readmeScript('--root', folder)).toEqual({ status: 0, stdout: '', stderr: '' });
  expect(section(folder, 'gpu')).toContain('A, 2026-11-30\n\nPyTorch 2.11, TensorFlow 2.21.0');
  expect(section(folder, 'gpu').split('\n').slice(-2)).toEqual([
    '| bf16, XLA | 4 | 100000 | 0.5 | 0.4 | 30 |',
    '| PyTorch bf16 | 4 | 99000 | 0.5 | 0.4 | 30 |',
  ]);
});

test.each([
  ['results/0.json: accPercent is 815; expected a percentage.', { ...result, accPercent: 815 }],
  [
    'results/0.json: date is "today"; expected a day, as in 2026-11-30.',
    { ...result, date: 'today' },
  ],
  ['results/0.json has the unknown field "acc".', { ...result, acc: 1 }],
  ['results/0.json: alone is false; expected true or absent.', { ...result, alone: false }],
  ['results/0.json: scale is undefined; expected one of full, pocket, smoke.', { record: 'demo' }],
])('a file that is not a result is refused: %s', (message, wrong) => {
  expect(readmeScript('--root', checkout([wrong]))).toMatchObject({
    status: 1,
    stderr: `readme: ${message}\n`,
  });
});

describe('add', () => {
  const about = {
    record: 'demo',
    scale: 'pocket',
    seed: 3,
    started: '2026-11-30T23:59:59.000Z',
    mode: 'captured',
    precision: 'bf16',
    intraOpThreads: 2,
    versions: { node: '20.20.2', tensorflow: '2.21.0' },
    hardware: {
      cpu: 'AMD EPYC',
      cores: 2,
      memoryBytes: 24 * 2 ** 30,
      cpuFlags: ['avx2'],
      gpus: [],
    },
  };
  const finished = {
    ...about,
    result: { accPercent: 81.234, trainSec: 99.999, imagesPerSec: 1986.46 },
  };

  test('adds a finished run, once', () => {
    const folder = checkout([]);
    const run = join(folder, 'demo-pocket-3');
    mkdirSync(run);
    writeFileSync(join(run, 'run.json'), JSON.stringify(about));
    expect(readmeScript('--root', folder, 'add', run)).toMatchObject({
      status: 1,
      stderr: `readme: ${run} is not finished: its run.json has no result.\n`,
    });
    writeFileSync(join(run, 'run.json'), JSON.stringify(finished));
    const file = join(folder, 'results/demo-pocket-bf16-3-2026-11-30.json');
    expect(readmeScript('--root', folder, 'add', run)).toEqual({
      status: 0,
      stdout: `${file}\n`,
      stderr: '',
    });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      ...result,
      seed: 3,
      accPercent: 81.23,
      trainSec: 100,
      imagesPerSec: 1986.5,
      hardware: 'AMD EPYC, 2 cores, AVX2, 24 GB',
    });
    expect(section(folder, 'results')).toContain('are not shown: 1 at pocket scale.');
    expect(readmeScript('--root', folder, 'add', run).stderr).toBe(
      `readme: ${run} is in results/ already.\n`,
    );
  });

  test('stores XLA, the device, the timer and the epoch in which the run diverged', () => {
    const folder = checkout([]);
    const run = join(folder, 'demo-pocket-3');
    mkdirSync(run);
    const how = { xla: true, device: 'gpu', timer: 'dawnbench' };
    const load = { wallSec: 110, cpuSec: 200, othersSec: 1, cores: 2 };
    writeFileSync(
      join(run, 'run.json'),
      JSON.stringify({ ...finished, ...how, load, result: { ...finished.result, divergedIn: 3 } }),
    );
    readmeScript('--root', folder, 'add', run);
    const file = join(folder, 'results/demo-pocket-bf16-3-2026-11-30.json');
    const text = readFileSync(file, 'utf8');
    expect(JSON.parse(text)).toMatchObject({ ...how, divergedIn: 3 });
    expect(parseResult(file, text)).toMatchObject({ ...how, result: { divergedIn: 3 } });
    // Seconds with preprocessing do not join those without.
    expect(section(folder, 'results')).toContain('are not shown: 1 at pocket scale.');
  });

  test('stores the accuracies and the load of a full run', () => {
    const folder = checkout([]);
    const load = { wallSec: 110.04, cpuSec: 200, othersSec: 11, cores: 2 };
    const run = join(folder, 'fastest-full-3');
    mkdirSync(run);
    writeFileSync(
      join(run, 'run.json'),
      JSON.stringify({ ...finished, record: 'fastest', scale: 'full', load }),
    );
    const rows = [1, 2].map((epoch) => ({
      epoch,
      valid: { acc: 0.45 * epoch },
      'total time': 10.04 * epoch,
    }));
    writeFileSync(join(run, 'log.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    readmeScript('--root', folder, 'add', run);
    const file = join(folder, 'results/fastest-full-bf16-3-2026-11-30.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      load: { wallSec: 110, cpuSec: 200, othersSec: 11, cores: 2 },
      curve: [
        { epoch: 1, trainSec: 10, accPercent: 45 },
        { epoch: 2, trainSec: 20.1, accPercent: 90 },
      ],
    });
    expect(section(folder, 'headline')).toContain('- **100 s of training** on ');
  });
});
