import { expect, test } from 'vitest';
import { localtime } from './localtime';

test('year, month, day and a 24-hour clock, each zero-padded', () => {
  expect(localtime(new Date(2026, 0, 2, 3, 4, 5, 999))).toBe('2026-01-02 03:04:05');
  expect(localtime(new Date(2026, 11, 31, 23, 59, 59))).toBe('2026-12-31 23:59:59');
});

test('defaults to now', () => {
  const before = localtime(new Date());
  const now = localtime();
  expect([before, localtime(new Date())]).toContain(now);
});
