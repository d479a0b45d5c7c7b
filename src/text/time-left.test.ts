import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { timeLeft } from './time-left';

const at = { phase: 'train', epoch: 1, epochs: 4, total: 1000, loss: 1, acc: 0.5 } as const;

describe('timeLeft', () => {
  test('starts with the estimate', () => {
    const left = timeLeft({ ...at, done: 1, timeSec: 0.1 }, 0.1, { epochSec: 110, validSec: 10 });
    expect(left).toBeCloseTo(4 * 110, 0);
  });

  test('follows the pace of the epoch after a tenth of it, here three times slower than the estimate', () => {
    const slow = { ...at, done: 100, timeSec: 30 };
    expect(timeLeft(slow, 30, { epochSec: 110, validSec: 10 })).toBeCloseTo(4 * 310 - 30, 6);
  });

  test('weights the epochs to come by their length relative to this one', () => {
    const here = { ...at, done: 100, timeSec: 10 };
    const estimate = { epochSec: 110, validSec: 0, epochsLeft: 7 };
    expect(timeLeft(here, 10, estimate)).toBeCloseTo(7 * 100 - 10, 6);
  });

  test('in the last epoch counts the rest of training, then validation', () => {
    const last = { ...at, epoch: 4, done: 500, timeSec: 50 };
    expect(timeLeft(last, 50, { epochSec: 1, validSec: 10 })).toBeCloseTo(60, 6);
  });

  test('in validation counts the rest of it, and further epochs at the length of this one', () => {
    const valid = { ...at, phase: 'valid', epoch: 3, done: 500, timeSec: 5 } as const;
    expect(timeLeft(valid, 105, { epochSec: 1, validSec: 1 })).toBeCloseTo(5 + 110, 6);
  });

  test('is exact at a steady pace, whatever the estimate, and never negative', () => {
    const cases = fc.record({
      epoch: fc.integer({ min: 1, max: 4 }),
      done: fc.integer({ min: 100, max: 1000 }),
      stepSec: fc.double({ min: 1e-3, max: 10, noNaN: true }),
      epochSec: fc.double({ min: 0, max: 1e5, noNaN: true }),
    });
    fc.assert(
      fc.property(cases, ({ epoch, done, stepSec, epochSec }) => {
        const timeSec = done * stepSec;
        const left = timeLeft({ ...at, epoch, done, timeSec }, timeSec, { epochSec, validSec: 0 });
        const steps = 1000 - done + (4 - epoch) * 1000;
        expect(Math.abs(left - steps * stepSec)).toBeLessThanOrEqual(1e-9 * 4000 * stepSec);
        const early = { ...at, epoch, done: 1, timeSec: 1e6 };
        expect(timeLeft(early, 2e6, { epochSec, validSec: 0 })).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
