import { beforeAll, describe, expect, test } from 'vitest';
import { InterruptedError, TrainError } from '../base/errors';
import { loadTensorflow } from '../engine/tensorflow';
import { stopAfter, using } from '../../test/small-training';
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
