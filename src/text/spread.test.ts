import { expect, test } from 'vitest';
import { intervalText, spreadText } from './spread';

test('figures half-way between two others round to the even one, as train prints them', () => {
  expect(spreadText({ mean: 94.125, sd: 0.125 })).toBe('94.12 ± 0.12');
  expect(spreadText({ mean: 94.125, sd: null })).toBe('94.12');
  expect(intervalText({ low: 93.375, high: 94.125 })).toBe('93.38 to 94.12');
  expect(intervalText({ low: 93 })).toBeUndefined();
});
