import { describe, expect, test } from 'vitest';
import { countTrainable } from '../nn/network';
import { valueAt } from '../optim/schedule';
import { catalogue, findExperiment } from './catalogue';
import { networkOf } from './run';
import { scaled } from './scale';

const records = [...catalogue.values()];

describe('the catalogue', () => {
  test('holds the demo, the sixteen runs of posts 1 to 4 and the twenty of post 8, each by a name of its own', () => {
    const counts = new Map(
      ['demo', 'experiments', 'bag_of_tricks'].map((n) => [
        n,
        records.filter(({ notebook }) => notebook === n),
      ]),
    );
    expect(counts.get('demo')).toHaveLength(1);
    expect(counts.get('experiments')?.map(({ cell }) => cell)).toEqual(
      Array.from({ length: 16 }, (_, index) => 9 + 2 * index),
    );
    expect(counts.get('bag_of_tricks')).toHaveLength(20);
    expect(catalogue.size).toBe(37);
  });

  // From the study's networks; the first figure of a row is the record's name.
  test.each([
    ['demo', 6_573_120],
    ['post1-baseline', 5_205_834],
    ['post4-backbone', 115_786],
    ['post4-no-repeat', 114_762],
    ['post4-conv-3x3', 966_730],
    ['post4-max-pool', 966_730],
    ['post4-global-max-pool', 1_557_066],
    ['post4-scales', 1_557_056],
    ['post4-double-width', 6_210_688],
    ['post4-extra-layers', 4_655_424],
    ['post8-baseline', 6_573_120],
    ['post8-bias-64-17', 6_570_880],
  ])('%s has %i trainable numbers', (name, count) => {
    expect(countTrainable(networkOf(findExperiment(name)))).toBe(count);
  });

  test('ends with the recipe of ten epochs, number for number', () => {
    const { net, loss, data, optim, run } = findExperiment('post8-final');
    expect(net).toMatchObject({ splits: 16, isScaleFrozen: true, celuAlpha: 0.3, weight: 1 / 16 });
    expect(loss.smoothing).toBe(0.2);
    expect(data.transforms.map(({ kind }) => kind)).toEqual(['crop', 'flip-lr']);
    expect(data).toMatchObject({ scheme: 'groups', maxOptions: 200, batchSize: 512 });
    expect(optim.groups).toEqual([{ includes: 'bias', lrFactor: 64, weightDecayFactor: 1 / 64 }]);
    expect([0, 2, 8, 10].map((epoch) => valueAt(optim.lr, epoch))).toEqual([0, 1, 0.1, 0.1]);
    expect(optim.ema).toEqual({ momentum: 0.99, updateFreq: 5 });
    expect(run).toEqual({ epochs: 10, tta: true });
  });

  test('a step of post 8 that leaves something unsaid keeps what the step before it had', () => {
    const before = findExperiment('post8-smoothing-25');
    const after = findExperiment('post8-smoothing-23');
    expect(after.net).toEqual(before.net);
    expect(after.loss).toEqual(before.loss);
    expect(after.optim.lr.knots).toEqual([0, 4.6, 23]);
  });

  test('names the nearest record', () => {
    expect(() => findExperiment('post8-fnial')).toThrow(/Nearest: "post8-final"/);
  });
});

describe('sizes', () => {
  test('pocket keeps all images, a quarter of the width, a sixth of the epochs and the shape of the schedule', () => {
    for (const record of records) {
      const pocket = scaled(record, 'pocket');
      expect(pocket.data).toEqual(record.data);
      expect(pocket.run.epochs).toBe(Math.max(1, Math.round(record.run.epochs / 6)));
      expect(Object.values(pocket.net.channels)).toEqual(
        Object.values(record.net.channels).map((width: number) => width / 4),
      );
      for (const share of [0.1, 0.5, 0.9, 1]) {
        expect(valueAt(pocket.optim.lr, share * pocket.run.epochs)).toBeCloseTo(
          valueAt(record.optim.lr, share * record.run.epochs),
          12,
        );
      }
    }
  });

  test('smoke is small in every way, full changes nothing', () => {
    for (const record of records) {
      const smoke = scaled(record, 'smoke');
      expect(smoke.data.subset).toEqual({ train: 1024, valid: 512 });
      expect(smoke.data.batchSize).toBe(64);
      expect(smoke.run.epochs).toBe(2);
      expect(countTrainable(networkOf(smoke))).toBeLessThan(countTrainable(networkOf(record)) / 50);
      expect(scaled(record, 'full')).toBe(record);
    }
  });
});
