import { beforeAll, describe, expect, test } from 'vitest';
import { InterruptedError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { figures } from '../../test/epoch-row';
import { run, stopAfter, using } from '../../test/small-training';
import type { Snapshot, Watch } from './training';

beforeAll(() => {
  loadTensorflow();
});

/** Seven steps instead of nine, so the third epoch has one: batches 1-3, 6-8, 11 train, and two evaluate after each. */
const shortened = 7;

/** The state of a shortened run that was stopped after some batches, training and test, or that went to its end. */
const saved = (batches = Infinity): Promise<Snapshot> =>
  using({}, stopAfter(batches), async (trainer) => {
    await trainer.warmUp();
    trainer.endAfter(shortened);
    try {
      for (const epoch of [1, 2, 3]) await trainer.runEpoch(epoch);
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
    }
    return trainer.save();
  });

describe('a run whose training steps are all done', () => {
  test.each([
    ['stopped in its last evaluation', 12, { epoch: 2, unfinished: { batches: 1 } }],
    ['after its fractional last epoch', Infinity, { epoch: 3 }],
  ])('%s keeps its pace', async (_, batches, place) => {
    const before = await saved(batches);
    expect(before).toMatchObject(place);
    await using({}, {}, async (trainer) => {
      await trainer.restore(before);
      await trainer.warmUp();
      trainer.endIn(100);
      expect(trainer.steps).toBe(shortened);
      const { pace } = await trainer.save();
      expect(pace).toEqual(before.pace);
      expect(() => trainer.endAfter(shortened)).toThrow(/cannot end after 7 steps: 7 are/);
      expect(() => trainer.endAfter(20)).toThrow(TrainError);
      expect(trainer.steps).toBe(shortened);
    });
  });
});

describe('a moving average', () => {
  // One step per epoch.
  const ema = { momentum: 0.9, updateFreq: 1 };
  const averaged = { batchSize: 10, epochs: 8, ema } as const;

  test.each([8, 4, 16])(
    'forgets as much over a run of %i steps as over the 8 of its schedule',
    async (steps) => {
      await using(averaged, {}, async (trainer) => {
        if (steps !== 8) trainer.endAfter(steps);
        const { ema: before } = await trainer.session.read('ema');
        await trainer.runEpoch(1);
        const after = await trainer.session.read('ema', 'network');
        const kept = 0.9 ** (8 / steps);
        for (const [path, { data }] of Object.entries(after.ema)) {
          const expected = Array.from(
            after.network[path].data,
            (value, index) => kept * before[path].data[index] + (1 - kept) * value,
          );
          expect(
            Math.max(...expected.map((value, index) => Math.abs(value - data[index]))),
          ).toBeLessThan(1e-6);
        }
      });
    },
  );
});

describe('a change of pace within an epoch', () => {
  /** Runs the first epoch; after the first of its three batches, the run gets `steps` steps. */
  const epochOf = (
    steps: number,
    watch: Watch = {},
  ): Promise<{ readonly snapshot: Snapshot; readonly trained: number; readonly lr?: number }> =>
    using({}, watch, async (trainer) => {
      let trained = 0;
      const row = await trainer
        .runEpoch(1, () => {
          trained += 1;
          if (trained === 1) trainer.endAfter(steps);
        })
        .catch((error: unknown) => {
          if (!(error instanceof InterruptedError)) throw error;
        });
      return { snapshot: await trainer.save(), trained, ...(row ? { lr: row.lr } : {}) };
    });

  test('shortens it, with the learning rate of the end of the schedule', async () => {
    expect(await epochOf(2)).toMatchObject({ trained: 2, lr: 0.1, snapshot: { epoch: 1 } });
  });

  test('leaves it whole if the run goes on after it', async () => {
    const { trained, snapshot } = await epochOf(6);
    expect(trained).toBe(3);
    expect(snapshot.pace).toEqual([
      { step: 0, position: 0, rate: 1 },
      { step: 1, position: 1, rate: 8 / 5 },
    ]);
  });

  test('is kept by an epoch that is stopped after it, and refused below the steps that are done', async () => {
    const { snapshot } = await epochOf(6, stopAfter(2));
    expect(snapshot).toMatchObject({ epoch: 0, unfinished: { batches: 2 } });
    const { snapshot: whole } = await epochOf(6);
    await using({}, {}, async (trainer) => {
      await trainer.restore(snapshot);
      expect(() => trainer.endAfter(2)).toThrow(/cannot end after 2 steps: 2 are already done/);
      await trainer.runEpoch(1);
      expect((await trainer.save()).learnt).toEqual(whole.learnt);
    });
  });
});

test('restart gives the same result as a new trainer also after a change of pace', async () => {
  const epochs = await run({ seed: 7 }, [1, 2, 3]);
  await using({}, {}, async (trainer) => {
    trainer.endAfter(shortened);
    await trainer.runEpoch(1);
    trainer.restart(7);
    expect([trainer.steps, trainer.epochs]).toEqual([9, 3]);
    const rows = [];
    for (const epoch of [1, 2, 3]) rows.push(figures(await trainer.runEpoch(epoch)));
    const state = await trainer.session.read('network', 'velocity', 'ema');
    expect({ rows, state }).toEqual(epochs);
    expect(await trainer.save()).not.toHaveProperty('pace');
  });
});
