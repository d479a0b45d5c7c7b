import { expect, test } from 'vitest';
import { startTimer, wallClock } from './timer';

test('each call returns the time since the previous one; only counted time is added to the total', () => {
  let now = 100;
  const timer = startTimer(() => now);
  now += 2.5;
  expect(timer()).toBe(2.5);
  now += 10;
  expect(timer({ isCounted: false })).toBe(10);
  expect(timer.totalSec()).toBe(2.5);
  now += 0.5;
  expect(timer()).toBe(0.5);
  expect(timer.totalSec()).toBe(3);
});

test('the clock counts seconds', async () => {
  const start = wallClock();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const passed = wallClock() - start;
  expect(passed).toBeGreaterThan(0.04);
  expect(passed).toBeLessThan(5);
});
