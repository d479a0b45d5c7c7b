import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { InterruptedError } from '../base/errors';
import type { RunProgress } from './epochs';
import { lastCheckpoint } from './checkpoint';
import { openRunFolder } from './folder';
import type { Budget, FinishedRun } from './run';
import { trainExperiment } from './train';
import type { TrainOptions } from './train';
import { bits, data, fileOf, long, resume, rowsOf, small } from '../../test/small-run';

const root = mkdtempSync(join(tmpdir(), 'cifar10-fast-budget-'));
afterAll(() => rmSync(root, { recursive: true }));

/** Stops where `isThere` says so. The clock ticks when it is read, so that progress is reported after each batch. */
function stopWhere(
  isThere: (progress: RunProgress) => boolean,
): Pick<TrainOptions, 'signal' | 'clock' | 'onProgress'> {
  let now = 0;
  const controller = new AbortController();
  return {
    clock: () => ++now,
    signal: controller.signal,
    onProgress: (progress) => {
      if (isThere(progress)) controller.abort();
    },
  };
}

/** The folder of a run that had a budget of ticks, stopped or finished. */
async function withBudget(
  name: string,
  seconds: number,
  isThere: (progress: RunProgress) => boolean = () => false,
): Promise<string> {
  const logDir = join(root, name);
  await trainExperiment(small, {
    data,
    seed: 3,
    logDir,
    budget: { seconds, spentSec: 0 },
    ...stopWhere(isThere),
  }).catch((error: unknown) => {
    if (!(error instanceof InterruptedError)) throw error;
  });
  return join(logDir, 'demo-smoke-3');
}

/** The trained state in a run's last checkpoint. */
async function learntIn(path: string): Promise<unknown> {
  const folder = await openRunFolder(path);
  const { checkpoint } = await lastCheckpoint(folder);
  folder.release();
  return checkpoint?.snapshot.learnt;
}

describe('a run with a budget whose training steps are all done', () => {
  test.each([60, 75, 90])(
    'resumes its last evaluation and trains no further step (budget of %i ticks)',
    async (seconds) => {
      const folder = await withBudget(
        `last-evaluation-${seconds}`,
        seconds,
        ({ phase, epoch, epochs }) => phase === 'valid' && epoch >= epochs,
      );
      expect(fileOf(folder)).not.toHaveProperty('result');
      const trained = await learntIn(folder);
      const run = await resume(
        folder,
        stopWhere(() => false),
      );
      expect(run.state).toEqual(trained);
      expect(run.rows.map(({ epoch }) => epoch)).toEqual(run.rows.map((_, i) => i + 1));
      expect(await learntIn(folder)).toEqual(trained);
    },
    long,
  );

  test.each([60, 75, 90])(
    'gets its result if only that is missing (budget of %i ticks)',
    async (seconds) => {
      const folder = await withBudget(`last-row-${seconds}`, seconds);
      const { result, ...file } = fileOf(folder);
      writeFileSync(join(folder, 'run.json'), JSON.stringify(file));
      const rows = rowsOf(folder);
      const trained = await learntIn(folder);
      const run = await resume(
        folder,
        stopWhere(() => false),
      );
      expect(run.rows).toEqual(rows);
      expect(run.state).toEqual(trained);
      expect(run.result).toEqual(result);
    },
    long,
  );
});

test(
  'a run that was stopped in its first epoch resumes although its time is over, and trains one more step',
  async () => {
    const folder = await withBudget('first-epoch', 60, ({ epoch }) => epoch === 1);
    const file = fileOf(folder);
    const { seconds } = file.budget as Budget;
    writeFileSync(
      join(folder, 'run.json'),
      JSON.stringify({ ...file, budget: { seconds, spentSec: seconds - 1 } }),
    );
    const run = await resume(
      folder,
      stopWhere(() => false),
    );
    expect(run.rows).toHaveLength(1);
    expect(run.result.imagesPerSec).toBeCloseTo((2 * 16) / run.result.trainSec, 6);
  },
  long,
);

test(
  'the seconds that a process took before it resumes count as used',
  async () => {
    const folder = await withBudget('start-up', 90, ({ epoch }) => epoch === 1);
    const { spentSec } = fileOf(folder).budget as Budget;
    const options = { ...stopWhere(() => false), startSec: 80 };
    const run = await resume(folder, options);
    expect((fileOf(folder).budget as Budget).spentSec).toBeGreaterThanOrEqual(spentSec + 80);
    expect(run.rows).toHaveLength(1);
    expect(run.result.imagesPerSec).toBeCloseTo((2 * 16) / run.result.trainSec, 6);
  },
  long,
);

test(
  'only a run whose second warm-up is too slow as well is shortened to its time limit',
  async () => {
    const experiment = { ...small, run: { ...small.run, epochs: 12 } };
    /** Trains with a clock whose first `count` reads take `slowSec` seconds each, the others one. */
    const train = async (
      atMostSec: number,
      { count = 0, slowSec = 1 } = {},
    ): Promise<{ run: FinishedRun; expectedSec: number; readsToStart: number }> => {
      let [now, reads, readsToStart, expectedSec] = [0, 0, 0, 0];
      const clock = (): number => {
        reads += 1;
        now += reads <= count ? slowSec : 1;
        return now;
      };
      const onStart: TrainOptions['onStart'] = (_, { epochSec, epochs }) => {
        [readsToStart, expectedSec] = [reads, epochSec * epochs];
      };
      const run = await trainExperiment(experiment, { data, seed: 3, atMostSec, clock, onStart });
      return { run, expectedSec, readsToStart };
    };
    const { run: whole, expectedSec, readsToStart } = await train(1e6);
    const limit = 1.2 * expectedSec;
    const { run: disturbed } = await train(limit, { count: readsToStart, slowSec: 50 });
    expect(disturbed.budget).toBeUndefined();
    expect(bits(disturbed)).toEqual(bits(whole));
    const { run: shortened } = await train(limit, { count: Infinity, slowSec: 1.5 });
    expect(shortened.budget?.seconds).toBeCloseTo((2 / 3) * limit, 6);
    expect(shortened.rows.length).toBeLessThan(whole.rows.length);
  },
  long,
);

test('an error about the length of a run names the flag that set it', async () => {
  const clocked = { data, seed: 3, ...stopWhere(() => false) };
  await expect(trainExperiment(small, { ...clocked, atMostSec: 10 })).rejects.toThrow(
    /^--at-most 10s is too short: a shortened run gets 7 s of it, and/,
  );
  await expect(
    trainExperiment(small, { ...clocked, budget: { seconds: 5, spentSec: 0 } }),
  ).rejects.toThrow(/^--budget 5s is too short: this/);
  await expect(
    trainExperiment(small, { ...clocked, budget: { seconds: 4e7, spentSec: 0 } }),
  ).rejects.toThrow(/^run: it would take .* on this machine, .* Give a shorter --budget\.$/);
});
