import { describe, expect, test } from 'vitest';
import { claim } from './claim';

describe('claim', () => {
  test('says what was found, and that it is what was claimed', () => {
    expect(claim('length', { short: 0.012345, long: 1234.5 })).toBe(
      'length: short 0.0123 < long 1230, as in the study',
    );
  });

  test('says what was claimed where something else was found', () => {
    expect(claim('length', { a: 3, b: 1.26, c: 2 }, 2)).toBe(
      'length: b 1.3 < c 2 < a 3, but in the study a < b < c',
    );
  });

  test('claims nothing of equal figures, of no number, or of one alone', () => {
    expect(claim('length', { a: 1, b: 1 })).toContain('but in the study a < b');
    expect(claim('length', { a: 1, b: NaN })).toContain('but in the study a < b');
    expect(() => claim('length', { a: 1 })).toThrow(RangeError);
  });
});
