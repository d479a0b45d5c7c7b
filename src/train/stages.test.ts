import { describe, expect, test } from 'vitest';
import { TrainError } from '../base/errors';
import type { Group, Optimiser } from '../optim/optimiser';
import { createStages } from './stages';
import type { SizeStage } from './training';

const trainable = ['whiten/conv/bias', 'block1/conv/weight', 'block1/norm/bias'];
const group = (includes: string, epochs?: number): Group => ({
  includes,
  lrFactor: 1,
  weightDecayFactor: 1,
  ...(epochs === undefined ? {} : { epochs }),
});

function stagesOf(
  groups: readonly Group[],
  sizes: readonly SizeStage[],
  stepsPerEpoch: number,
): ReturnType<typeof createStages> {
  const optimiser: Optimiser = { rule: 'nesterov-a', groups };
  return createStages({ optimiser, sizes, trainable, stepsPerEpoch });
}

describe('createStages', () => {
  test('a run without sizes and frozen groups has one stage with an empty key', () => {
    const stageAt = stagesOf([group('bias')], [], 10);
    expect(stageAt(1)).toEqual({ key: '', frozen: [] });
    expect(stageAt(99)).toBe(stageAt(1));
  });

  test('sizes change at their epochs, rounded to the nearest step', () => {
    const sizes = [
      { from: 0, size: 24 },
      { from: 1.4, size: 28 },
      { from: 3, size: 32 },
    ];
    const stageAt = stagesOf([], sizes, 4);
    // 1.4 epochs are 5.6 steps: step 7 is the first of the second stage.
    expect([1, 6, 7, 12, 13, 40].map((step) => stageAt(step).size)).toEqual([
      24, 24, 28, 28, 32, 32,
    ]);
    expect(stageAt(1).key).toBe('24 px');
    expect(stageAt(6)).toBe(stageAt(1));
  });

  test('a group is frozen after its epochs, rounded up to steps; the first matching group counts', () => {
    const groups = [group('whiten', 0.2), group('bias', 1), group('block')];
    const stageAt = stagesOf(groups, [{ from: 0, size: 24 }], 32);
    // 0.2 epochs are 6.4 steps.
    expect([7, 8, 32, 33].map((step) => stageAt(step).frozen)).toEqual([
      [],
      ['whiten/conv/bias'],
      ['whiten/conv/bias'],
      ['whiten/conv/bias', 'block1/norm/bias'],
    ]);
    expect(stageAt(8).key).toBe('24 px, whiten/conv/bias frozen');
    expect(stageAt(32)).toBe(stageAt(8));
  });

  test.each([
    [[{ from: 1, size: 24 }], 'stage 1 of "sizes" has 24 pixels from epoch 1 on'],
    [
      [
        { from: 0, size: 24 },
        { from: 0, size: 28 },
      ],
      'stage 2 of "sizes" has 28 pixels from epoch 0 on',
    ],
    [[{ from: 0, size: 7 }], 'has 7 pixels'],
    [[{ from: 0, size: 24.5 }], 'has 24.5 pixels'],
    [
      [
        { from: 0, size: 24 },
        { from: NaN, size: 28 },
      ],
      'from epoch NaN on',
    ],
  ])('refuses %j', (sizes, message) => {
    expect(() => stagesOf([], sizes, 4)).toThrow(TrainError);
    expect(() => stagesOf([], sizes, 4)).toThrow(message);
  });
});
