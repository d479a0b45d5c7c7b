import { findExperiment } from '../catalogue/catalogue';
import { changesBetween } from '../catalogue/differences';
import type { Figure } from './figure';
import { tabulate } from './tabulate';
import type { ExperimentOrName } from './train-live';

/**
 * The differences between two experiments as a table: the path of each value that differs, and both values. If nothing
 * differs, the table says so.
 *
 * @throws ExperimentError if there is no such experiment
 * @example
 * ```ts
 * await show(changes('post1-main-thread', 'post2-batch-512'));
 * ```
 */
export function changes(before: ExperimentOrName, after: ExperimentOrName): Figure {
  const [old, now] = [before, after].map((one) =>
    typeof one === 'string' ? findExperiment(one) : one,
  );
  const found = changesBetween(old, now);
  const nothing = { path: 'nothing but the seed', before: '', after: '' };
  const rows = found.map(({ path, before, after }) => ({
    path,
    before: shortened(before),
    after: shortened(after),
  }));
  return tabulate(found.length === 0 ? [nothing] : rows, {
    title: `from ${old.name} to ${now.name}`,
    columns: { path: 'changes', before: 'from', after: 'to' },
  });
}

/** Rounds a number of many digits, such as a quotient, to five; leaves anything else as it is. */
function shortened(text: string): string {
  return /^-?\d*\.\d{7,}$/.test(text) ? String(Number(Number(text).toPrecision(5))) : text;
}
