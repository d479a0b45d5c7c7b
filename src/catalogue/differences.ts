import { countTrainable } from '../nn/network';
import type { Experiment } from './experiment';
import { networkOf } from './network';
import { inWords } from './value-text';

/** One difference between two experiments. */
export interface Change {
  /** The path of the value, as `overridden` takes it; `weights` for the numbers that are learnt. */
  readonly path: string;
  /** What the first record has; `none` where it has no such thing. */
  readonly before: string;
  readonly after: string;
}

/**
 * What one record changes about another: every value that decides a training and is not the same, in the order of the
 * record, and how many numbers are learnt. None where the two are the same training.
 *
 * @example
 * ```ts
 * changesBetween(findExperiment('post4-final-20'), findExperiment('post4-final-24'));
 * // run.epochs: 20 -> 24; optim.lr: …
 * ```
 */
export function changesBetween(before: Experiment, after: Experiment): Change[] {
  return differencesAmong([before, after]).map(({ path, values: [old, now] }) => ({
    path,
    before: old,
    after: now,
  }));
}

/**
 * The values that are not the same in all of several experiments: the path, and what each has, in words; `none` where it has
 * no such value.
 */
export function differencesAmong(
  experiments: readonly Experiment[],
): { readonly path: string; readonly values: readonly string[] }[] {
  const all = experiments.map(told);
  const paths = [...new Set(all.flatMap((values) => [...values.keys()]))];
  return paths
    .map((path) => ({ path, values: all.map((values) => values.get(path) ?? 'none') }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** What decides a training, each value in words, by path. */
function told(record: Experiment): Map<string, string> {
  const { net, loss, data, optim, run } = record;
  const weights = countTrainable(networkOf(record)).toLocaleString('en');
  return new Map([...flat({ net, loss, data, optim, run }, ''), ['weights', weights]]);
}

type Json = { readonly [key: string]: unknown };

function flat(value: Json, prefix: string): (readonly [path: string, words: string])[] {
  return Object.entries(value).flatMap(([key, part]) => {
    const path = prefix + key;
    const words = inWords(path, part);
    return words === undefined ? flat(part as Json, `${path}.`) : [[path, words] as const];
  });
}
