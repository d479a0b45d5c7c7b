import { expect, test } from 'vitest';
import { findExperiment } from '../catalogue/catalogue';
import { scaled } from '../catalogue/scale';
import type { PlannedRun } from '../runs/run';
import { epochRow } from '../../test/epoch-row';
import { forecast } from './train-text';

/** A run of demo at smoke scale, of which this many epochs are finished. */
function planned(finished: number): PlannedRun {
  const experiment = scaled(findExperiment('demo'), 'smoke');
  const rows = Array.from({ length: finished }, (_, index) => epochRow(index + 1, 0.5));
  return { experiment, rows, scale: 'smoke', machine: 'a machine' } as unknown as PlannedRun;
}

test.each([
  [0, 'about 0:20 on this machine'],
  [1, '1 epoch is finished; about 0:15 on this machine'],
  [2, '2 epochs are finished; about 0:10 on this machine'],
])('forecast after %i epochs', async (finished, expected) => {
  expect(await forecast(planned(finished), { epochSec: 5, epochs: 4 })).toBe(expected);
});
