import { ReportError } from '../base/errors';
import { nearestHint } from '../base/nearest';
import { deviceOf } from '../runs/execution';
import { runChanges } from '../runs/run-changes';
import type { Run } from '../runs/run';

/** What distinguishes runs of one experiment, besides the seed. */
export type RunKind = Pick<
  Run,
  'name' | 'scale' | 'precision' | 'mode' | 'xla' | 'device' | 'overrides' | 'budget' | 'machine'
>;

/**
 * Short names of machines, with as many parts of the hardware line as it takes to distinguish them: `AMD-EPYC-2-cores` for
 * `AMD EPYC, 2 cores, AVX-512 BF16, 24 GB`.
 */
export function machineNames(machines: readonly string[]): ReadonlyMap<string, string> {
  const all = [...new Set(machines)];
  const named = (parts: number): string[] =>
    all.map((line) =>
      line
        .split(', ')
        .slice(0, parts)
        .join(' ')
        .replaceAll(/[\s@]+/g, '-'),
    );
  const most = Math.max(1, ...all.map((line) => line.split(', ').length));
  let parts = 1;
  while (parts < most && new Set(named(parts)).size < all.length) parts++;
  const names = named(parts);
  return new Map(all.map((line, index) => [line, names[index]]));
}

/** What can follow an `@` in a label, in this order. */
function qualifiers(run: RunKind, machines: ReadonlyMap<string, string>): string[] {
  const { scale, precision, mode, xla, machine } = run;
  const changed = runChanges(run).join(',') || 'as-published';
  const how = [precision, mode, xla ? 'xla' : 'no-xla', deviceOf(run)];
  return [scale, ...how, changed, machines.get(machine) ?? machine];
}

/** The experiment's name, its changes and, if it has several groups, what distinguishes this one from the others. */
export function labelOf(run: RunKind, kinds: readonly RunKind[]): string {
  const machines = machineNames(kinds.map(({ machine }) => machine));
  const others = kinds.filter(({ name }) => name === run.name);
  const changed = runChanges(run).join(',');
  const own = qualifiers(run, machines).filter((part, index) => {
    // A machine implies the device, unless it has runs on both.
    const isSame = (other: RunKind): boolean =>
      (part === deviceOf(run) && other.machine !== run.machine) ||
      qualifiers(other, machines)[index] === part;
    return part === changed || !others.every(isSame);
  });
  return [run.name, ...own].join('@');
}

/**
 * Finds a group by its label, or by its experiment and any qualifiers in any order, as long as only one group matches. `demo`
 * is enough if there is one group of `demo`; so is `demo@fp32` for `demo@pocket@fp32`.
 *
 * @throws ReportError naming the matching groups if there are several, or the nearest if there is none
 */
export function findGroup<T extends RunKind & { readonly label: string }>(
  groups: readonly T[],
  text: string,
): T {
  const exact = groups.find(({ label }) => label === text);
  if (exact !== undefined) return exact;
  const machines = machineNames(groups.map(({ machine }) => machine));
  const [name, ...wanted] = text.split('@');
  const fitting = groups.filter((group) => {
    const known = [...qualifiers(group, machines), ...runChanges(group)];
    return group.name === name && wanted.every((part) => known.includes(part));
  });
  const [only] = fitting;
  if (fitting.length === 1) return only;
  const labels = groups.map(({ label }) => label);
  if (fitting.length > 1) {
    throw new ReportError(
      `report: "${text}" matches ${fitting.length} groups: ${fitting.map(({ label }) => label).join(', ')}. Name one of them.`,
    );
  }
  throw new ReportError(
    `report: there are no finished runs named "${text}".${nearestHint(text, labels)} ` +
      `Groups with finished runs: ${labels.join(', ')}.`,
  );
}
