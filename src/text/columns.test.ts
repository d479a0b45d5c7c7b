import { expect, test } from 'vitest';
import { columnsText } from './columns';

test('the first column is flush left, the others right, all as wide as they must be', () => {
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

test('an empty last cell leaves no spaces behind', () => {
  expect(columnsText(['a', 'b'], [['one', '']])).toBe('a    b\none');
});
