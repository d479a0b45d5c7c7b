import { expect, test } from 'vitest';
import { counted } from './counted';

test.each([
  [0, '0 runs'],
  [1, '1 run'],
  [1.5, '1.5 runs'],
  [2, '2 runs'],
])('%d is written as %s', (count, text) => {
  expect(counted(count, 'run')).toBe(text);
});
