import { expect, test } from 'vitest';
import { findGroup, labelOf, machineNames } from './group-names';
import type { RunKind } from './group-names';

const kind = (more: Partial<RunKind> = {}): RunKind => ({
  name: 'demo',
  scale: 'full',
  precision: 'bf16',
  mode: 'captured',
  xla: false,
  overrides: [],
  machine: 'AMD EPYC, 2 cores, 24 GB',
  ...more,
});
const labelled = (kinds: readonly RunKind[]): (RunKind & { readonly label: string })[] =>
  kinds.map((one) => ({ ...one, label: labelOf(one, kinds) }));

test('machine names have as many parts of the hardware line as it takes to distinguish them', () => {
  const named = (...lines: string[]): string[] => [...machineNames(lines).values()];
  expect(named('AMD EPYC, 2 cores, 24 GB', 'Intel Xeon, 2 cores, 24 GB')).toEqual([
    'AMD-EPYC',
    'Intel-Xeon',
  ]);
  expect(named('AMD EPYC, 2 cores, 24 GB', 'AMD EPYC, 2 cores, 48 GB')).toEqual([
    'AMD-EPYC-2-cores-24-GB',
    'AMD-EPYC-2-cores-48-GB',
  ]);
});

test('labels name the device only if runs on both devices of a machine are there', () => {
  const machine = 'Xeon, 16 cores, 126 GB, NVIDIA H200 (driver 580.1)';
  const labels = (...kinds: RunKind[]): string[] => labelled(kinds).map(({ label }) => label);
  expect(labels(kind(), kind({ machine }))).toEqual(['demo@AMD-EPYC', 'demo@Xeon']);
  expect(labels(kind({ machine }), kind({ machine, device: 'cpu' }))).toEqual([
    'demo@gpu',
    'demo@cpu',
  ]);
});

test('a partial name is enough if exactly one group matches', () => {
  const groups = labelled([
    kind(),
    kind({ scale: 'pocket' }),
    kind({ precision: 'fp32', overrides: ['data.batchSize=768', 'optim.lr=[1, 2]'] }),
    kind({ name: 'fastest' }),
    kind({ name: 'fastest', machine: 'Intel Xeon, 8 cores, 64 GB' }),
  ]);
  const [first, pocket, changed, , fast] = groups;
  expect(findGroup(groups, 'demo@full@bf16@as-published')).toBe(first);
  expect(findGroup(groups, 'demo@bf16@full')).toBe(first);
  expect(findGroup(groups, 'demo@pocket')).toBe(pocket);
  expect(findGroup(groups, 'demo@optim.lr=[1, 2]')).toBe(changed);
  expect(findGroup(groups, 'fastest@Intel-Xeon')).toBe(fast);
  expect(() => findGroup(groups, 'fastest')).toThrow(
    'report: "fastest" matches 2 groups: fastest@AMD-EPYC, fastest@Intel-Xeon. Name one of them.',
  );
  expect(() => findGroup(groups, 'demo@smoke')).toThrow(
    'report: there are no finished runs named "demo@smoke".',
  );
});
