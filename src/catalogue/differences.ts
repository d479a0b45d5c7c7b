import { countTrainable } from '../nn/network';
import type { Experiment } from './experiment';
import { networkOf } from './network';
import { inWords } from './value-text';

/** One difference between two experiments. */
export interface Change {
  /** The path of the value, as for `overridden`; `weights` for the number of trainable parameters. */
  readonly path: string;
  /** The value in the first experiment; `none` if it has none. */
  readonly before: string;
  readonly after: string;
}

/**
 * The differences between two experiments: every differing value that affects the training, in the order of the experiment, and
 * the number of trainable parameters. Empty if both train the same.
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
 * The values that differ among several experiments: the path, and the text of each experiment's value, `none` if it has none.
 */
export function differencesAmong(
  experiments: readonly Experiment[],
): { readonly path: string; readonly values: readonly string[] }[] {
  const all = experiments.map(valuesByPath);
  const paths = [...new Set(all.flatMap((values) => [...values.keys()]))];
  return paths
    .map((path) => ({ path, values: all.map((values) => values.get(path) ?? 'none') }))
    .filter(({ values }) => new Set(values).size > 1);
}

/** The text of each value that affects the training, by path. */
function valuesByPath(experiment: Experiment): Map<string, string> {
  const { net, loss, data, optim, run } = experiment;
  const weights = countTrainable(networkOf(experiment)).toLocaleString('en');
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
