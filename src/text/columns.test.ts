import { expect, test } from 'vitest';
import { columnsText } from './columns';

test('the first column is left-aligned, the others right-aligned, each as wide as its widest cell', () => {
  const text = columnsText(
    ['record', 'n', 'mean'],
    [
      ['demo', '12', '94.08'],
      ['post4-final-24', '3', '-'],
    ],
  );
  expect(text.split('\n')).toEqual([
    'record           n   mean',
    'demo            12  94.08',
    'post4-final-24   3      -',
  ]);
});

test('an empty last cell leaves no trailing spaces', () => {
  expect(columnsText(['a', 'b'], [['one', '']])).toBe('a    b\none');
});
