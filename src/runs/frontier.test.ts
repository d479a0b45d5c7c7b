import { describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import { epochsTo, expectedAccPercent, frontierOf } from './frontier';
import type { Run } from './run';

function run(accPercent: number, changes: Partial<Run> & { pflop?: number } = {}): Run {
  const { pflop = 0.2, ...rest } = changes;
  return {
    name: 'fastest',
    scale: 'full',
    seed: 0,
    overrides: [],
    mode: 'captured',
    precision: 'bf16',
    xla: false,
    started: '2026-11-29',
    machine: 'a machine',
    rows: [],
    result: { accPercent, trainSec: 1, imagesPerSec: 1, pflop },
    ...rest,
  };
}

const of = { name: 'fastest', epochs: 8 };
const runs = [
  run(94, { seed: 0 }),
  run(94.2, { seed: 1 }),
  run(90, { overrides: ['run.epochs=2'], pflop: 0.05 }),
  run(92, { overrides: ['run.epochs=4'], pflop: 0.1, machine: 'another' }),
];

describe('frontierOf', () => {
  test('averages the runs of each length, sorted by operations', () => {
    expect(frontierOf(runs, of)).toEqual([
      { epochs: 2, pflop: 0.05, accPercent: 90, runs: 1, machines: ['a machine'] },
      { epochs: 4, pflop: 0.1, accPercent: 92, runs: 1, machines: ['another'] },
      { epochs: 8, pflop: 0.2, accPercent: 94.1, runs: 2, machines: ['a machine'] },
    ]);
  });

  test('takes the minimum of the operations of a length, and counts a seed once per kind of machine', () => {
    const elsewhere = { machine: 'a GPU', pflop: 0.21, started: '2027' };
    expect(frontierOf([run(94), run(94.4, elsewhere)], of)).toEqual([
      { epochs: 8, pflop: 0.2, accPercent: 94.2, runs: 2, machines: ['a machine', 'a GPU'] },
    ]);
  });

  test('ignores other experiments, scales, overrides and budgets, and runs without result or operations', () => {
    const { result: _result, ...unfinished } = run(94);
    const others = [
      run(94, { name: 'demo' }),
      run(94, { scale: 'pocket' }),
      run(94, { overrides: ['optim.momentum=0.5'] }),
      run(94, { overrides: ['run.epochs=4', 'optim.momentum=0.5'] }),
      run(92, { budget: { seconds: 600, spentSec: 40 }, pflop: 0.08 }),
      run(94, { result: { accPercent: 94, trainSec: 1, imagesPerSec: 1 } }),
      unfinished,
    ];
    expect(frontierOf(others, of)).toEqual([]);
  });
});

describe('predictions of a frontier', () => {
  const points = frontierOf(runs, of);

  test('accuracy is linear in the logarithm of the operations, undefined below and constant above', () => {
    const at = (pflop: number): number | undefined => expectedAccPercent(points, pflop);
    expect(at(0.01)).toBeUndefined();
    expect(at(0.049)).toBe(90);
    expect(at(0.05 * Math.SQRT2)).toBeCloseTo(91, 9);
    expect(at(0.1)).toBe(92);
    expect(at(1)).toBe(94.1);
    expect(expectedAccPercent([], 1)).toBeUndefined();
  });

  test('the length for an accuracy is interpolated between measured lengths', () => {
    expect(epochsTo(points, 91)).toBeCloseTo(3, 9);
    expect(epochsTo(points, 50)).toBe(2);
    expect(epochsTo(points, 94.1)).toBeCloseTo(8, 9);
  });

  test('an accuracy that no run reached is an error that names the best one', () => {
    expect(() => epochsTo(points, 99)).toThrow(RunError);
    expect(() => epochsTo(points, 99)).toThrow(
      /^--to 99 is above what the runs in results\/ reach: 94.10 % in \d+ epochs .* Give at most/,
    );
    expect(() => epochsTo([], 90)).toThrow(
      /^--to needs finished runs of the experiment in results\/.* Give --epochs or --budget/,
    );
  });
});
