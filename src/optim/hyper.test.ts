import { describe, expect, test } from 'vitest';
import { OptimError } from '../base/errors';
import { hyperSchedule } from './hyper';
import type { GroupedHyperFeed, HyperFeed, HyperSchedule } from './hyper';
import type { Group } from './optimiser';
import { piecewiseLinear } from './schedule';

const count = { batchSize: 20, stepsPerEpoch: 5, steps: 20 };
const muon = {
  iterations: 3,
  coefficients: [3.4445, -4.775, 2.0315],
  rescale: { first: 2, growth: 0 },
} as const;
const plain = { lrFactor: 1, weightDecayFactor: 1 };

/** Learning rates for the mean loss: 8 at the start, 0 after four epochs. */
const base: HyperSchedule = {
  rule: 'nesterov-a',
  lr: piecewiseLinear([0, 4], [8, 0]),
  weightDecay: 0.01,
  momentum: 0.9,
  groups: [],
};

function expectFeed(found: HyperFeed | undefined, expected: HyperFeed): void {
  const close = Object.entries(expected).map(([name, value]) => [
    name,
    expect.closeTo(value, 12) as number,
  ]);
  expect(found).toEqual(Object.fromEntries(close));
}

const groupOf = (feed: GroupedHyperFeed, place: number): HyperFeed | undefined =>
  feed.groups?.[place];

describe('hyperSchedule', () => {
  test('divides the learning rate by the batch size and multiplies weight decay by it', () => {
    const at = hyperSchedule(base, count);
    // Step 1 ends at epoch 0.2: 8 * 0.95 / 20.
    expectFeed(at(1), { lr: 0.38, weightDecay: 0.2, momentum: 0.9 });
    expectFeed(at(20), { lr: 0, weightDecay: 0.2, momentum: 0.9 });
  });

  test('reads the schedule at the start of each step if firstStep is 0', () => {
    const at = hyperSchedule({ ...base, firstStep: 0 }, count);
    expectFeed(at(1), { lr: 0.4, weightDecay: 0.2, momentum: 0.9 });
    expectFeed(at(20), { lr: 0.02, weightDecay: 0.2, momentum: 0.9 });
  });

  test('feeds only groups that override hyperparameters, with the optimiser for the rest', () => {
    const groups: Group[] = [
      { ...plain, includes: 'bias', lrFactor: 64 },
      { ...plain, includes: 'a', lr: piecewiseLinear([0, 2], [4, 0]) },
      { ...plain, includes: 'b', weightDecay: 0.5 },
      { ...plain, includes: 'c', momentum: 0.25 },
    ];
    const feed = hyperSchedule({ ...base, groups }, count)(5);
    expect(Object.keys(feed.groups ?? {})).toEqual(['1', '2', '3']);
    expectFeed(groupOf(feed, 1), { lr: 0.1, weightDecay: 0.2, momentum: 0.9 });
    expectFeed(groupOf(feed, 2), { lr: 0.3, weightDecay: 10, momentum: 0.9 });
    expectFeed(groupOf(feed, 3), { lr: 0.3, weightDecay: 0.2, momentum: 0.25 });
    expect(hyperSchedule({ ...base, groups: groups.slice(0, 1) }, count)(5).groups).toBeUndefined();
  });

  test("leaves Muon's learning rate and weight decay unchanged, and feeds whether a step rescales", () => {
    const lr = piecewiseLinear([0, 4], [0.2, 0]);
    const groups: Group[] = [
      { ...plain, includes: 'a', rule: 'muon', lr, weightDecay: 0.5, momentum: 0.6, muon },
      { ...plain, includes: 'b', rule: 'muon', muon: { ...muon, rescale: 'every-step' } },
    ];
    const at = hyperSchedule({ ...base, groups }, count);
    expectFeed(groupOf(at(1), 0), { lr: 0.19, weightDecay: 0.5, momentum: 0.6, rescale: 0 });
    expectFeed(groupOf(at(2), 0), { lr: 0.18, weightDecay: 0.5, momentum: 0.6, rescale: 1 });
    expectFeed(groupOf(at(1), 1), { lr: 7.6, weightDecay: 0.01, momentum: 0.9, rescale: 1 });
    // A step beyond the run, which a warm-up can request.
    expect(groupOf(at(21), 1)?.rescale).toBe(0);
  });

  test('a group without a rule uses that of the optimiser', () => {
    const groups: Group[] = [{ ...plain, includes: 'a', momentum: 0.5, muon }];
    const feed = hyperSchedule({ ...base, rule: 'muon', groups }, count)(2);
    expectFeed(groupOf(feed, 0), { lr: 7.2, weightDecay: 0.01, momentum: 0.5, rescale: 1 });
  });

  test('so does one that sets no hyperparameter: Muon takes rate and decay unchanged, whatever says so', () => {
    const feedOf = (group: Partial<Group>, rule: 'muon' | 'nesterov-b'): unknown =>
      groupOf(
        hyperSchedule({ ...base, rule, groups: [{ ...plain, includes: 'a', ...group }] }, count)(2),
        0,
      );
    expect(feedOf({ muon }, 'muon')).toEqual(feedOf({ rule: 'muon', muon }, 'nesterov-b'));
    expect(feedOf({ muon }, 'muon')).toMatchObject({ rescale: 1 });
  });

  test('refuses options of Muon that are out of range', () => {
    const rescale = { first: 0, growth: 1 };
    const groups: Group[] = [{ ...plain, includes: '', rule: 'muon', muon: { ...muon, rescale } }];
    expect(() => hyperSchedule({ ...base, groups }, count)).toThrow(OptimError);
  });
});
