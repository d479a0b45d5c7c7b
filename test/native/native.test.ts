import { expect, test } from 'vitest';
import { runProgram } from './program';

test('bf16 Winograd refuses outputs at an end that would read three pixels', () => {
  const lines = runProgram('regions', ['winograd-bf16-convolve', 'parallel', 'amx']);
  const refused = lines.filter((line) => line.includes(' 00 '));
  expect(refused.map((line) => line.split(' ')[0])).toEqual(['2->1', '4->3', '6->5', '8->7']);
  const accepted = lines.filter((line) => line.includes(' 11 '));
  expect(accepted).toHaveLength(12);
  for (const line of accepted) expect(line).toMatch(/forward 0 gradient 0$/);
});

test('working memory that cannot be allocated is an error, and the next is allocated again', () => {
  expect(runProgram('scratch', ['parallel'])).toEqual(['out of memory', 'memory']);
});
