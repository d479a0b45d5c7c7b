import { expect, test } from 'vitest';
import { accText } from './runs-text';

test('runs prints the accuracy of a run as train does: 94.125 as 94.12', () => {
  expect(accText(94.125)).toBe('94.12');
  expect(accText(undefined)).toBe('-');
});
