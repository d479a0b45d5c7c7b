import { describe, expect, test } from 'vitest';
import { valueAt } from '../optim/schedule';
import { scales } from '../catalogue/experiment';
import { stressTest } from './stress-test';

describe('stressTest', () => {
  test.each(scales)(
    'at %s scale: two runs that differ only in the norm, up to the same rate',
    (scale) => {
      const [norm, none] = stressTest(scale);
      expect([norm.net, none.net]).toMatchObject([{ norm: 'before' }, { norm: 'none' }]);
      expect({ ...none, net: norm.net, name: '', title: '', published: {} }).toEqual({
        ...norm,
        name: '',
        title: '',
        published: {},
      });
      for (const { scale: size = 'full', run, optim } of [norm, none]) {
        expect([size, run.mayDiverge]).toEqual([scale, true]);
        expect(valueAt(optim.lr, run.epochs)).toBeCloseTo(0.005 * 2 ** 12.5, 6);
      }
    },
  );

  test('pocket scale keeps the epochs and their rates, on fewer images', () => {
    const [{ run, data, optim, net }] = stressTest('pocket');
    expect([run.epochs, data.subset?.train, data.batchSize]).toEqual([25, 4096, 128]);
    for (const epoch of [0, 1, 2, 25]) {
      expect(valueAt(optim.lr, epoch)).toBeCloseTo(0.005 * 2 ** (epoch / 2), 9);
    }
    expect(net.channels).toMatchObject({ prep: 16, layer3: 128 });
  });
});
