import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { durationText, progressLine } from './progress';
import type { Progress } from './progress';

const progress: Progress = {
  phase: 'train',
  epoch: 3,
  epochs: 24,
  done: 20_000,
  total: 50_000,
  timeSec: 16,
  loss: 0.72,
  acc: 0.74609,
  leftSec: 272,
};

describe('progressLine', () => {
  test.each([
    [
      200,
      'epoch  3/24  [===>..........................]   10 %  1,250 img/s  loss 0.7200  acc 74.61 %  4:32 left',
    ],
    [80, 'epoch  3/24  [>.......]   10 %  1,250 img/s  loss 0.7200  acc 74.61 %  4:32 left'],
    [77, 'epoch  3/24   10 %  1,250 img/s  loss 0.7200  acc 74.61 %  4:32 left'],
    [66, 'epoch  3/24   10 %  loss 0.7200  acc 74.61 %  4:32 left'],
    [50, 'epoch  3/24   10 %  acc 74.61 %  4:32 left'],
    [40, 'epoch  3/24  acc 74.61 %  4:32 left'],
    [34, 'epoch  3/24  4:32 left'],
    [20, 'epoch  3/24'],
    [6, 'epoch '],
    [0, ''],
  ])('in %i columns', (width, line) => {
    expect(progressLine(progress, width)).toBe(line);
  });

  test('the example of its docstring', () => {
    const example: Progress = {
      phase: 'train',
      epoch: 1,
      epochs: 4,
      done: 20_480,
      total: 50_000,
      timeSec: 45,
      loss: 1.91,
      acc: 0.294,
    };
    expect(progressLine(example, 80)).toBe(
      'epoch 1/4  [=>..........]   10 %  455 img/s  loss 1.9100  acc 29.40 %  6:34 left',
    );
  });

  test('without leftSec: training at this pace to the end', () => {
    const { leftSec: _, ...rest } = progress;
    // 16 s for 0.4 of an epoch: 0.6 and 21 more epochs are 864 s.
    expect(progressLine({ ...rest, epochs: 11 / 6 }, 120)).toContain('/1.83 ');
    expect(progressLine(rest, 120)).toContain('14:24 left');
    expect(progressLine({ ...rest, done: 0, timeSec: 0 }, 120)).toContain('-:-- left');
  });

  test('in validation shows "test", with the bar at the end of the epoch', () => {
    const { leftSec: _, ...rest } = progress;
    const line = progressLine(
      { ...rest, phase: 'valid', epoch: 24, done: 512, total: 10_000 },
      120,
    );
    expect(line).toBe(
      'epoch 24/24  [==============================]   test  32.0 img/s  loss 0.7200  acc 74.61 %  -:-- left',
    );
  });

  test.each([
    [0.5, '0.50 img/s'],
    [41.26, '41.3 img/s'],
    [245.3, '245 img/s'],
    [1_234_567, '1,234,567 img/s'],
    [Infinity, '- img/s'],
  ])('a rate of %f is %s', (rate, text) => {
    expect(progressLine({ ...progress, done: rate, timeSec: 1 }, 200)).toContain(`  ${text}  `);
  });

  test('shows a loss that is NaN', () => {
    expect(progressLine({ ...progress, loss: NaN }, 120)).toContain('loss nan  ');
  });

  test('is one line of printable ASCII, never wider than the given width, for any input', () => {
    const any = fc.double({ min: -1e6, max: 1e6 });
    const wild = fc.record({
      phase: fc.constantFrom('train' as const, 'valid' as const),
      epoch: fc.integer({ min: 0, max: 1000 }),
      epochs: fc.integer({ min: 0, max: 1000 }),
      done: any,
      total: any,
      timeSec: any,
      loss: any,
      acc: any,
      leftSec: any,
    });
    fc.assert(
      fc.property(wild, fc.integer({ min: -5, max: 200 }), (given, width) => {
        const line = progressLine(given, width);
        expect(line.length).toBeLessThanOrEqual(Math.max(0, width));
        expect(line).toMatch(/^[ -~]*$/);
      }),
    );
  });

  test('the bar never shrinks as the run proceeds', () => {
    const shown = Array.from({ length: 101 }, (_, k) => {
      const line = progressLine({ ...progress, epoch: 1, epochs: 1, done: k * 500 }, 200);
      return line.split('=').length - 1;
    });
    expect(shown.every((count, k) => k === 0 || count >= shown[k - 1])).toBe(true);
    expect([shown[0], shown[50], shown[100]]).toEqual([0, 15, 30]);
  });
});

describe('durationText', () => {
  test.each([
    [0, '0:00'],
    [7.4, '0:07'],
    [59.6, '1:00'],
    [272, '4:32'],
    [3599.4, '59:59'],
    [3599.6, '1:00 h'],
    [3900, '1:05 h'],
    [90_000, '25:00 h'],
    [NaN, '-:--'],
    [Infinity, '-:--'],
    [-1, '-:--'],
  ])('%f s is %s', (sec, text) => {
    expect(durationText(sec)).toBe(text);
  });
});
