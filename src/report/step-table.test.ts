import { describe, expect, test } from 'vitest';
import { catalogue, findExperiment } from '../catalogue/catalogue';
import { publishedPoints } from '../catalogue/published-points';
import type { Run } from '../runs/run';
import { ablationRows } from './ablation';
import { accuracyPoints } from './frontier-points';
import { meanText, stepRows, stepsText } from './step-table';

/** A finished full-scale run, as stored in a file of results/. */
function run(
  name: string,
  seed: number,
  accPercent: number,
  more: Partial<Run> & { readonly pflop?: number } = {},
): Run {
  const { pflop = 0.2, ...rest } = more;
  return {
    name,
    scale: 'full',
    seed,
    overrides: [],
    mode: 'captured',
    precision: 'bf16',
    xla: false,
    started: '2026-11-29',
    machine: 'A, 2 cores',
    alone: true,
    rows: [],
    result: { accPercent, trainSec: 400, imagesPerSec: 1000, pflop },
    ...rest,
  };
}

const fastest = [94.21, 94.07, 94.12, 94.11].map((acc, seed) => run('fastest', seed, acc));
const short = (name: string, accuracies: readonly number[]): Run[] =>
  accuracies.map((acc, seed) => run(name, seed, acc, { overrides: ['run.epochs=1'], pflop: 0.02 }));

describe('the table of steps', () => {
  test("has runs at full scale and at the experiment's own length, on every machine", () => {
    const other = run('fastest', 9, 94.3, { machine: 'B, 2 cores', precision: 'fp32' });
    const pocket = run('fastest', 8, 80, { scale: 'pocket' });
    const changed = run('fastest', 7, 90, { overrides: ['optim.momentum=0.9'] });
    const rows = stepRows(
      [findExperiment('hiverge'), findExperiment('fastest')],
      [...fastest, other, pocket, changed, ...short('fastest', [80, 81])],
      { hiverge: 0.25 },
    );
    expect(rows[0]).toEqual({
      step: 'hiverge',
      title: findExperiment('hiverge').title,
      epochs: 7.59,
      runs: 0,
      pflop: 0.25,
      published: '94.008 %, 1.98 s, n = 2,000',
    });
    expect(rows[1]).toMatchObject({ step: 'fastest', runs: 5, pflop: 0.2 });
    expect(rows[1].accPercent).toBeCloseTo(94.162, 9);
    // scipy.stats.t.interval(0.95, 4, 94.162, sem): 2.7764451 * 0.0925743 / sqrt(5) on each side.
    expect(rows[1].low).toBeCloseTo(94.162 - 0.114946, 5);
    expect(rows[1].seconds).toBe('400 s (4 on A, 2 cores, bf16); 400 s (1 on B, 2 cores, fp32)');
    expect(meanText(rows[0])).toBe('no run yet');
    expect(stepsText(rows)).toMatch(/fastest +9 +5 +94\.16 \(94\.05 to 94\.28\) +0\.200 +- +400 s/);
  });

  test('a later run with the same seed and precision replaces the earlier one', () => {
    const again = run('fastest', 0, 94.01, { started: '2026-12-01' });
    const [row] = stepRows([findExperiment('fastest')], [again, ...fastest]);
    expect(row.runs).toBe(4);
    expect(row.accPercent).toBeCloseTo((94.01 + 94.07 + 94.12 + 94.11) / 4, 9);
  });

  test.each<readonly [how: Partial<Run>, place: string]>([
    [{ mode: 'eager' }, 'bf16, eager'],
    [{ xla: true }, 'bf16, XLA'],
    [{ device: 'cpu' }, 'bf16, on the CPU'],
  ])('a later run with the same seed, but %j, adds to the earlier one', (how, place) => {
    const machine = 'A, 2 cores, NVIDIA H200 (driver 580.1)';
    const before = fastest.map((one): Run => ({ ...one, machine, device: 'gpu' }));
    const other: Run = { ...before[0], ...how, started: '2026-12-01' };
    const [row] = stepRows([findExperiment('fastest')], [...before, other]);
    expect(row.runs).toBe(5);
    expect(row.seconds).toBe(`400 s (4 on ${machine}, bf16); 400 s (1 on ${machine}, ${place})`);
  });

  test('the count of the runs takes precedence over one made separately, which is for steps without runs', () => {
    const [row] = stepRows([findExperiment('fastest')], fastest, { fastest: 0.25 });
    expect(row.pflop).toBe(0.2);
  });

  test('a mean half-way between two figures rounds to the even one, as in train', () => {
    const [row] = stepRows(
      [findExperiment('fastest')],
      [run('fastest', 0, 94), run('fastest', 1, 94.25)],
    );
    expect(meanText(row)).toMatch(/^94\.12 /);
  });

  test('a single run has no interval', () => {
    const [row] = stepRows([findExperiment('fastest')], fastest.slice(0, 1));
    expect(meanText(row)).toBe('94.21 (1 run: no interval)');
  });
});

describe('ablations', () => {
  const base = findExperiment('fastest');
  const changes = ['speedrun-without-muon', 'speedrun-with-cutout', 'speedrun-without-jitter'].map(
    findExperiment,
  );

  test('say lower or higher only if the interval excludes 0, and n too small below three runs', () => {
    const runs = [
      ...short('fastest', [84.1, 84.4, 84.2]),
      ...short('speedrun-without-muon', [80.1, 80.9, 80.4]),
      ...short('speedrun-with-cutout', [84.0, 84.5, 84.1]),
      ...short('speedrun-without-jitter', [90, 90]),
      ...fastest,
    ];
    const rows = ablationRows(base, changes, runs, { epochs: 1 });
    expect(rows.map(({ verdict }) => verdict)).toEqual(['lower', 'cannot tell', 'n too small']);
    expect(rows.map(({ runs: count, baseRuns }) => [count, baseRuns])).toEqual([
      [3, 3],
      [3, 3],
      [2, 3],
    ]);
    const [muon, cutout] = rows;
    expect(muon.difference).toBeCloseTo(80.4666667 - 84.2333333, 6);
    expect(muon.high).toBeLessThan(0);
    expect(cutout.low).toBeLessThan(0);
    expect(cutout.high).toBeGreaterThan(0);
    expect(cutout.runsNeeded).toBeGreaterThan(3);
  });

  test('separate runs by length', () => {
    const runs = [...fastest, ...short('speedrun-without-muon', [80.1, 80.9, 80.4])];
    expect(ablationRows(base, changes, runs).map(({ verdict }) => verdict)).toEqual([
      'no run yet',
      'no run yet',
      'no run yet',
    ]);
  });
});

describe('points of accuracy against arithmetic', () => {
  test('are experiments at each length, and published recipes', () => {
    const uncounted = run('hiverge', 1, 94);
    delete (uncounted.result as { pflop?: number }).pflop;
    const points = accuracyPoints(catalogue, [
      ...fastest,
      ...short('fastest', [84, 85]),
      uncounted,
      run('demo', 1, 94, { pflop: 2 }),
    ]);
    const here = points.filter(({ from }) => from === 'here');
    expect(here.map(({ recipe, epochs, runs }) => [recipe, epochs, runs])).toEqual([
      ['fastest', 1, 2],
      ['fastest', 9, 4],
      ['demo', 24, 1],
    ]);
    expect(here[0]).toMatchObject({ pflop: 0.02, accPercent: 84.5, hardware: 'A, 2 cores' });
    expect(here[2].low).toBeUndefined();
    expect(points).toHaveLength(3 + publishedPoints.length);
  });

  test('published points of catalogue recipes have the figures, hardware and source of the catalogue', () => {
    const point = publishedPoints.find(({ recipe }) => recipe === 'hiverge');
    const figures = { accPercent: 94.008, timeSec: 1.98, runs: 2000, hardware: 'A100' };
    expect(point).toMatchObject({ ...figures, pflop: 0.206 });
    expect(point?.source).toMatch(
      /^hiverge\/cifar10-speedrun at 5cd49b1 .*; operations by our count; the script executes 0.254 PFLOP/,
    );
  });
});
