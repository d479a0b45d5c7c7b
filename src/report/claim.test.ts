import { describe, expect, test } from 'vitest';
import { claim } from './claim';

describe('claim', () => {
  test('prints the figures in order, and that the order is as claimed', () => {
    expect(claim('length', { short: 0.012345, long: 1234.5 })).toBe(
      'length: short 0.0123 < long 1230, as in the study',
    );
  });

  test('prints the claimed order if the order found differs', () => {
    expect(claim('length', { a: 3, b: 1.26, c: 2 }, 2)).toBe(
      'length: b 1.3 < c 2 < a 3, but in the study a < b < c',
    );
  });

  test('confirms nothing for equal figures or NaN, and rejects a single figure', () => {
    expect(claim('length', { a: 1, b: 1 })).toContain('but in the study a < b');
    expect(claim('length', { a: 1, b: NaN })).toContain('but in the study a < b');
    expect(() => claim('length', { a: 1 })).toThrow(RangeError);
  });
});
