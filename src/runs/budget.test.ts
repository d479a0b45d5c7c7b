import { beforeAll, describe, expect, test } from 'vitest';
import { UsageError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import type { EpochRow } from '../train/training';
import { keepBudget, parseDuration } from './budget';
import type { BudgetFlag } from './budget';
import { runEpochs } from './epochs';
import { examples, using } from '../../test/small-training';

beforeAll(() => {
  loadTensorflow();
});

const warmUp = { epochSec: 12, trainStepSec: 1, validStepSec: 1, evaluationSec: 2, midwaySec: 1 };

function row(epoch: number, trainSec: number, validSec: number): EpochRow {
  const figures = { loss: 1, acc: 0.5 };
  const total = { 'total time': epoch * trainSec };
  return {
    epoch,
    lr: 1,
    train: { time: trainSec, ...figures },
    valid: { time: validSec, ...figures },
    ...total,
  };
}

/**
 * A fake trainer that trains an epoch in ten seconds and records the seconds passed to endIn, and a clock that is set by
 * hand.
 */
function scene(): {
  readonly asked: number[];
  readonly options: Parameters<typeof keepBudget>[2] & { readonly trainer: { epochs: number } };
  /** Epochs that are over. */
  done: number;
  now: number;
} {
  const asked: number[] = [];
  const trainer = {
    epochs: 10,
    stepsPerEpoch: 10,
    stepsPerCall: 1,
    endIn: (seconds: number) => {
      asked.push(seconds);
      trainer.epochs = found.done + seconds / 10;
    },
  };
  const found = {
    asked,
    done: 0,
    now: 5,
    options: { trainer, warmUp, clock: () => found.now, startedAt: 0 },
  };
  return found;
}

describe('keepBudget', () => {
  test('training gets the budget minus start, evaluations and a second of reserve', () => {
    const { asked, options } = scene();
    const { budget } = keepBudget({ seconds: 100, spentSec: 0 }, [], options);
    expect(budget).toEqual({ seconds: 100, spentSec: 5 });
    // 84 s are 8.4 epochs, so there are 8 evaluations in between.
    expect(asked.at(-1)).toBe(100 - 5 - 2 - 8 * 1 - 1);
  });

  test('only the evaluations of epochs that fit into the budget take time from training', () => {
    const { asked, options } = scene();
    const trainer = Object.assign(options.trainer, { epochs: 1000 });
    keepBudget({ seconds: 39, spentSec: 0 }, [], { ...options, trainer });
    expect(asked.at(-1)).toBe(39 - 5 - 2 - 2 * 1 - 1);
    expect(trainer.epochs).toBeCloseTo(2.9);
  });

  test('a longer run has time for its further evaluations', () => {
    const { asked, options } = scene();
    keepBudget({ seconds: 208, spentSec: 0 }, [], options);
    expect(asked.at(-1)).toBe(208 - 5 - 2 - 18 * 1 - 1);
    expect(options.trainer.epochs).toBeCloseTo(18.2);
  });

  test.each([30, 47, 62.5, 100, 333, 1000])(
    'a run with a budget of %d s takes no longer, and less only if one evaluation more would not fit',
    (seconds) => {
      const { asked, options } = scene();
      keepBudget({ seconds, spentSec: 0 }, [], options);
      const trainingSec = asked.at(-1) ?? NaN;
      const evaluations = Math.ceil(options.trainer.epochs) - 1;
      const takes = 5 + trainingSec + evaluations * warmUp.midwaySec + warmUp.evaluationSec + 1;
      expect(takes).toBeLessThanOrEqual(seconds);
      expect(takes).toBeGreaterThanOrEqual(seconds - warmUp.midwaySec);
    },
  );

  test('an evaluation of its own after the last epoch is part of the budget', () => {
    const { asked, options } = scene();
    keepBudget({ seconds: 100, spentSec: 0 }, [], { ...options, afterwardsSec: 7 });
    expect(asked.at(-1)).toBe(100 - 5 - 2 - 7 - 7 * 1 - 1);
  });

  test('after an epoch, training gets the remaining time minus the remaining evaluations', () => {
    const found = scene();
    const keeper = keepBudget({ seconds: 100, spentSec: 0 }, [], found.options);
    found.now += 14;
    found.done = 1;
    keeper.keep([row(1, 13, 1)]);
    expect(found.asked.at(-1)).toBe(100 - 5 - 14 - 2 - 7 * 1 - 1);
  });

  test('within an epoch, after each tenth of the remaining training time', () => {
    const found = scene();
    const { follow } = keepBudget({ seconds: 100, spentSec: 0 }, [], found.options);
    const plans = found.asked.length;
    found.now = 5 + 8;
    follow([]);
    expect(found.asked).toHaveLength(plans);
    found.now = 5 + 9.5;
    follow([]);
    const after = found.asked.length;
    expect(after).toBeGreaterThan(plans);
    follow([]);
    expect(found.asked).toHaveLength(after);
    // 75.5 s are 7.55 epochs; those of the time that is over are not among them here.
    expect(found.asked.at(-1)).toBe(100 - 5 - 9.5 - 2 - 7 * 1 - 1);
  });

  test('within the first epoch, a run whose time is over ends after one more step', () => {
    const found = scene();
    const { follow } = keepBudget({ seconds: 100, spentSec: 0 }, [], found.options);
    found.now = 200;
    follow([]);
    expect(found.asked.at(-1)).toBe(warmUp.trainStepSec);
  });

  test('not within an epoch if one call runs several steps', () => {
    const found = scene();
    const trainer = Object.assign(found.options.trainer, { stepsPerCall: 10 });
    const { follow } = keepBudget({ seconds: 100, spentSec: 0 }, [], { ...found.options, trainer });
    const plans = found.asked.length;
    found.now = 50;
    follow([]);
    expect(found.asked).toHaveLength(plans);
  });

  test('a resumed run gets the time that its finished epochs and first start did not use', () => {
    const found = scene();
    found.done = 1;
    const before = { seconds: 100, spentSec: 7 };
    const { budget } = keepBudget(before, [row(1, 13, 1)], { ...found.options, unfinishedSec: 4 });
    expect(budget.spentSec).toBe(12);
    expect(found.asked.at(-1)).toBe(100 - 12 - 14 - 4 - 2 - 6 - 1);
  });

  test('a run that has used up its time ends after one more step', () => {
    const { asked, options } = scene();
    keepBudget({ seconds: 20, spentSec: 0 }, [row(1, 13, 1)], options);
    expect(asked).toEqual([warmUp.trainStepSec]);
  });

  test('so does a run that was stopped in its first epoch, however often it is resumed', () => {
    const { asked, options } = scene();
    keepBudget({ seconds: 60, spentSec: 54 }, [], { ...options, unfinishedSec: 3 });
    expect(asked).toEqual([warmUp.trainStepSec]);
  });

  test('a budget that is too short is an error that names its flag and the shortest', () => {
    const start =
      (seconds: number, spentSec: number, setBy: BudgetFlag): (() => unknown) =>
      () =>
        keepBudget({ seconds, spentSec }, [], { ...scene().options, setBy });
    const budget = start(8, 0, { flag: '--budget', seconds: 8 });
    expect(budget).toThrow(UsageError);
    expect(budget).toThrow(
      /^--budget 8s is too short: this machine takes 18 s to start, train one epoch and evaluate\. Give at least --budget 18s\.$/,
    );
    // The seconds that the process took to start count as well.
    expect(start(8, 2, { flag: '--budget', seconds: 8 })).toThrow('takes 20 s to start');
    expect(start(20 / 3, 0, { flag: '--at-most', seconds: 10 })).toThrow(
      /^--at-most 10s is too short: a shortened run gets 7 s of it, and this machine takes 18 s to .* --at-most 27s\.$/,
    );
  });

  test('the error names the seconds spent before a stop and does not count them as start time', () => {
    const start = (): unknown => keepBudget({ seconds: 20, spentSec: 14 }, [], scene().options);
    expect(start).toThrow(
      /its budget of 20 s is too short \(14 s of it were used before the run was stopped\): this machine takes 18 s to/,
    );
  });
});

test.each([
  ['slower', 0.75],
  ['faster', 1.5],
])(
  'a run of one epoch whose steps are %s than in its warm-up ends in time',
  async (_, warmUpSec) => {
    const seconds = 41;
    let now = 0;
    let stepSec = warmUpSec;
    const clock = (): number => now;
    const spend = <T>(work: T): T => {
      now += stepSec;
      return work;
    };
    const changes = { train: examples(50, 1), batchSize: 1, extraSteps: [spend] };
    await using(changes, { clock }, async (trainer) => {
      const warmUp = await trainer.warmUp();
      stepSec = 1;
      const startedAt = clock();
      const budget = { seconds, spentSec: 0 };
      const { follow } = keepBudget(budget, [], { trainer, warmUp, clock, startedAt });
      const { rows } = await runEpochs(trainer, { onCall: follow });
      expect(rows).toHaveLength(1);
      expect(now - startedAt).toBeLessThanOrEqual(seconds);
      expect(now - startedAt).toBeGreaterThanOrEqual(0.95 * seconds);
    });
  },
);

test.each([
  ['90', 90],
  ['90s', 90],
  ['5m', 300],
  ['1.5h', 5400],
])('%s is %d seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(['', '0m', '-5m', '5 weeks', 'NaN', '1e3'])('"%s" is not a duration', (text) => {
  expect(() => parseDuration(text)).toThrow(UsageError);
});
