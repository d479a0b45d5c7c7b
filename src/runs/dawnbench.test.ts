import { describe, expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { trainDawnbench } from './dawnbench';
import type { DawnbenchRow } from './dawnbench';
import { overridden } from '../catalogue/override';
import { scaled } from '../catalogue/scale';
import { noiseData } from '../../test/noise-data';

const data = noiseData(128, 96);

describe('training by the rule of DAWNBench', () => {
  test.each(['dawn', 'new-dawn'])(
    '%s counts preprocessing, and nothing before it',
    async (name) => {
      const experiment = overridden(scaled(findExperiment(name), 'smoke'), 'data.subset', {
        train: 128,
        valid: 96,
      });
      // A clock that advances only when it is set.
      let now = 1000;
      const lines: string[] = [];
      const estimates: number[] = [];
      const shown: DawnbenchRow[] = [];
      const run = await trainDawnbench(experiment, {
        data,
        seed: 0,
        clock: () => now,
        say: (line) => {
          lines.push(line);
          if (line.startsWith('Warming up')) now += 500;
          if (line === 'Preprocessing training data') now += 3;
          if (line === 'Preprocessing test data') now += 0.15625;
        },
        onEstimate: (_plan, sec) => estimates.push(sec),
        // The caller's callback runs between epochs, so it is not counted as training.
        onEpoch: (row) => {
          shown.push(row);
          now += 7;
        },
      });
      const { rows, preprocessSec, result } = run;
      expect(lines).toEqual([
        'Warming up on random inputs',
        'Starting timer',
        'Preprocessing training data',
        'Finished in 3.0 seconds',
        'Preprocessing test data',
        'Finished in 0.16 seconds',
      ]);
      expect(preprocessSec).toBe(3.15625);
      expect(rows.map((row) => row['total time'])).toEqual([3.15625, 3.15625]);
      expect(rows.map(({ train }) => train.time)).toEqual([0, 0]);
      expect(estimates).toEqual([0]);
      expect(run).toMatchObject({ name, scale: 'smoke', seed: 0, timer: 'dawnbench' });
      expect(result).toMatchObject({
        epochs: 2,
        trainSec: 3.15625,
        accPercent: 100 * rows[1].valid.acc,
      });
      expect(run).not.toHaveProperty('path');
      expect(shown.map((row) => Object.keys(row))).toEqual(
        rows.map(() => ['epoch', 'train', 'valid', 'total time']),
      );
    },
  );
});
