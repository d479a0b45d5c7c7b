import { expect, test } from 'vitest';
import { runProgram } from './program';

test('working memory that cannot be allocated is an error, and the next is allocated again', () => {
  expect(runProgram('scratch', ['parallel'])).toEqual(['out of memory', 'memory']);
});
