import { expect, test } from 'vitest';
import { ExperimentError } from '../base/errors';
import { comparison } from './compare-runs';

const textOf = async (...records: readonly string[]): Promise<string> =>
  String((await comparison([], records)).bundle['text/plain']);

test('a record that was not run stands with what was published, and says so', async () => {
  const text = await textOf('post8-converge-final-40');
  expect(text).toMatch(/published +full +95\.39 +102\.9/);
  expect(text).toContain('no run of this record yet');
});

test('a column that nothing is known for is left out', async () => {
  const text = await textOf('post8-mixed-precision');
  expect(text).toContain('94.10');
  expect(text).not.toContain('training s');
  expect(await textOf('post8-mixed-precision', 'post8-baseline')).toContain('training s');
});

test('refuses a record that does not exist', async () => {
  await expect(textOf('post8-mixed')).rejects.toThrow(ExperimentError);
});
