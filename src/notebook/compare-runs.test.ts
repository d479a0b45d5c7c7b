import { expect, test } from 'vitest';
import { ExperimentError } from '../base/errors';
import { catalogue } from '../catalogue/catalogue';
import { withoutRepetitions } from '../report/groups';
import type { Run } from '../runs/run';
import { comparison, recordedRuns } from './compare-runs';

const textOf = async (...records: readonly string[]): Promise<string> =>
  String((await comparison([], records)).bundle['text/plain']);

test('an experiment that was not run is listed with its published result, and a note', async () => {
  const text = await textOf('post8-converge-final-40');
  expect(text).toMatch(/published +full +95\.39 +102\.9/);
  expect(text).toContain('no run of this experiment yet');
});

test('an experiment that was neither run nor published has one line', async () => {
  const stored = new Set((await recordedRuns()).map(({ name }) => name));
  const [{ name } = { name: '' }] = [...catalogue.values()].filter(
    (experiment) => experiment.published === undefined && !stored.has(experiment.name),
  );
  const lines = (await textOf(name)).split('\n');
  expect(lines).toHaveLength(3);
  expect(lines[2]).toMatch(/^stored +no run of this experiment yet$/);
});

test('a published figure names the hardware that it was measured on', async () => {
  expect(await textOf('post8-converge-final-40')).toContain('V100; mean');
  const hiverge = await textOf('hiverge');
  expect(hiverge).toContain('one A100');
  expect(hiverge).not.toContain('V100');
});

test('a column without values is omitted', async () => {
  const text = await textOf('post8-mixed-precision');
  expect(text).toContain('94.10');
  expect(text).not.toContain('training s');
  expect(await textOf('post8-mixed-precision', 'post8-baseline')).toContain('training s');
});

test('runs with overrides have a line of their own, which lists them', async () => {
  const run = (overrides: readonly string[], accPercent: number): Run => ({
    name: 'fastest',
    scale: 'full',
    seed: 1,
    overrides,
    mode: 'captured',
    precision: 'bf16',
    xla: false,
    started: '2026-11-29',
    machine: 'A',
    rows: [],
    result: { accPercent, trainSec: 40, imagesPerSec: 1000 },
  });
  const alone = { ...run([], 94), seed: 2, alone: true as const };
  const { bundle } = await comparison([run([], 94.2), alone, run(['run.epochs=1'], 84.5)]);
  const text = String(bundle['text/plain']);
  // The time of one of the two runs counts; that of the run with overrides does not.
  expect(text).toMatch(/this notebook, 2 runs +full +94\.10 ± 0\.14 +40\.0 \(1 of 2\) +A, bf16/);
  expect(text).toMatch(/this notebook +full, run\.epochs=1 +84\.50 +– +A, bf16/);
});

test('runs of an experiment that is not in the catalogue are listed', async () => {
  const [run] = await recordedRuns('fastest');
  const { bundle } = await comparison([{ ...run, name: 'mine' }]);
  expect(String(bundle['text/plain'])).toMatch(/^this notebook +full/m);
});

test('rejects an unknown experiment', async () => {
  await expect(textOf('post8-mixed')).rejects.toThrow(ExperimentError);
});

test('a stored run appears once, as one of this notebook', async () => {
  const all = await recordedRuns('demo');
  const { kinds, repeated } = withoutRepetitions(all);
  const [run, ...others] = kinds.flat();
  // Three seeds of demo are stored twice; the table counted both.
  expect(repeated.length).toBeGreaterThan(0);
  const text = String((await comparison([run])).bundle['text/plain']);
  const counts = [...text.matchAll(/stored(?:, (\d+) runs)?/g)].map(([, count = 1]) =>
    Number(count),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(others.length);
  expect(text).toContain('this notebook');
  const complete = await comparison(all);
  expect(String(complete.bundle['text/plain'])).not.toMatch(/stored|no run/);
});
