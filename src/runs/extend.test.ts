import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunError } from '../base/errors';
import type { Experiment } from '../catalogue/experiment';
import { overridden } from '../catalogue/override';
import { valueAt } from '../optim/schedule';
import { extendRun } from './extend';
import { planAfter } from './run';
import type { FinishedRun, Run } from './run';
import { readRun } from './run-file';
import { resumeRun, trainExperiment } from './train';
import { data, long, small as longest } from '../../test/small-run';

const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-extend-'));

/** Two epochs of three batches. */
const small: Experiment = { ...longest, run: { ...longest.run, epochs: 2 } };
let whole: FinishedRun;
let longer: FinishedRun;

beforeAll(async () => {
  whole = await trainExperiment(small, { data, seed: 3, logDir: root });
  longer = await extendRun(whole.path ?? '', { data, epochs: 2 });
}, long);
afterAll(() => rmSync(root, { recursive: true }));

const readAll = (path = ''): Record<string, string> =>
  Object.fromEntries(
    readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'latin1')]),
  );

describe('a finished run that is trained further', () => {
  test('is a new run in a folder beside it, whose log starts with the finished epochs', async () => {
    expect(longer.path).toBe(join(root, 'demo-smoke-3-2'));
    expect(longer.rows).toHaveLength(4);
    expect(longer.rows.slice(0, 2)).toEqual(whole.rows);
    expect(longer.result).toMatchObject({ epochs: 4, accPercent: 100 * longer.rows[3].valid.acc });
    const kept = (await readRun(longer.path ?? '')) as Run;
    expect(kept.rows).toEqual(longer.rows);
    expect(kept).toMatchObject({
      overrides: ['run.epochs=2+2'],
      continues: { run: whole.path, epochs: 2, accPercent: whole.result.accPercent },
    });
    const seconds = longer.rows.reduce((sum, { train }) => sum + train.time, 0);
    expect(longer.result.trainSec).toBeCloseTo(seconds, 6);
  });

  test('is executed and timed like the finished run', () => {
    const { seed, mode, precision, threads, algorithms, preprocessSec } = whole;
    const plan = planAfter({ ...whole, timer: 'dawnbench' }, small, data);
    const same = { seed, mode, precision, threads, algorithms, preprocessSec };
    expect(plan).toMatchObject({ ...same, timer: 'dawnbench', rows: [] });
    expect(plan.result).toBeUndefined();
    expect(longer.load?.wallSec).toBeGreaterThan(whole.load?.wallSec ?? Infinity);
  });

  test(
    'leaves the finished run unchanged, so that extending it again gives the same result',
    async () => {
      const before = readAll(whole.path);
      const again = await extendRun(whole.path ?? '', { data, epochs: 2 });
      expect(readAll(whole.path)).toEqual(before);
      expect(again.path).toBe(join(root, 'demo-smoke-3-3'));
      expect(again.state).toEqual(longer.state);
    },
    long,
  );

  test('trains with the learning rates of the end of a run of the new length', () => {
    const { lr } = overridden(small, 'run.epochs', 4).optim;
    expect(longer.experiment.optim.lr).toEqual(lr);
    expect(longer.rows.map((row) => row.lr)).toEqual([
      ...whole.rows.map((row) => row.lr),
      valueAt(lr, 3),
      valueAt(lr, 4),
    ]);
    expect(longer.state).not.toEqual(whole.state);
  });

  test(
    'can be stopped and resumed with a bit-identical result, and trained further again',
    async () => {
      const controller = new AbortController();
      const stopped = extendRun(whole.path ?? '', {
        data,
        epochs: 2,
        signal: controller.signal,
        onEpoch: () => controller.abort(),
      });
      await expect(stopped).rejects.toThrow(/stopped in epoch 4/);
      const path = join(root, 'demo-smoke-3-4');
      const resumed = await resumeRun(path, { data });
      expect(resumed.state).toEqual(longer.state);
      expect(resumed.continues).toEqual(longer.continues);
      const third = await extendRun(path, { data, epochs: 1 });
      expect(third.overrides).toEqual(['run.epochs=2+2', 'run.epochs=4+1']);
      expect(third.rows).toHaveLength(5);
    },
    long,
  );

  test.each<readonly [what: string, change: object, message: RegExp]>([
    [
      'is not finished',
      { result: undefined },
      /is not finished, so it cannot be trained further\. Resume it first, without --epochs\./,
    ],
    ['had a budget', { budget: { seconds: 60, spentSec: 1 } }, /was trained with a time budget/],
    ['diverged', { failure: { epoch: 2, message: 'NaN' } }, /diverged in epoch 2/],
  ])('is refused if it %s', async (what, change, message) => {
    const path = join(root, what);
    cpSync(whole.path ?? '', path, { recursive: true });
    const file = join(path, 'run.json');
    const run = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...run, ...change }));
    await expect(extendRun(path, { data, epochs: 1 })).rejects.toThrow(RunError);
    await expect(extendRun(path, { data, epochs: 1 })).rejects.toThrow(message);
  });

  test('grows by whole epochs only', async () => {
    await expect(extendRun(whole.path ?? '', { data, epochs: 0.5 })).rejects.toThrow(
      /was asked for 0\.5 more epochs, so .* Give a whole number of at least 1\./,
    );
  });
});
