import { beforeAll, describe, expect, test } from 'vitest';
import { InterruptedError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { figures } from '../../test/epoch-row';
import { run, stopAfter, using } from '../../test/small-training';
import type { Snapshot } from './training';

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
