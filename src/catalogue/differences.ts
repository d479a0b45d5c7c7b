import type { Transform } from '../augment/transform';
import { countTrainable } from '../nn/network';
import type { MuonOptions } from '../optim/muon';
import type { Group } from '../optim/optimiser';
import type { Schedule } from '../optim/schedule';
import type { Experiment } from './experiment';
import { networkOf } from './network';

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

/** A value on one line; `undefined` if its parts get a line each. */
function inWords(path: string, value: unknown): string | undefined {
  if (path === 'optim.lr') return scheduleText(value as Schedule);
  if (path === 'optim.groups')
    return (value as readonly Group[]).map(groupText).join('; ') || 'none';
  if (path === 'data.transforms') return (value as readonly Transform[]).map(sized).join(', ');
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(plain).join(', ');
  return typeof value === 'object' && value !== null ? undefined : String(value);
}

/** `0 → 0.4 at 8 → 0 at 30`: the values, and the epochs at which they are reached. */
export function scheduleText({ knots, vals }: Schedule): string {
  return vals
    .map((val, index) => {
      const at = Number(knots[index].toPrecision(3));
      return `${Number(val.toPrecision(3))}${index === 0 && at === 0 ? '' : ` at ${at}`}`;
    })
    .join(' → ');
}

/** `bias: rate x 64, decay x 0.015625`: which tensors move in their own way, and how. */
function groupText(group: Group): string {
  const { includes, rule, lr, lrFactor, weightDecay, weightDecayFactor, momentum } = group;
  const { epochs, muon } = group;
  const rounded = (factor: number): number => Number(factor.toPrecision(4));
  const words = [
    ...(rule === undefined ? [] : [rule]),
    ...(lr === undefined ? [] : [`rate ${scheduleText(lr)}`]),
    ...(lrFactor === 1 ? [] : [`rate x ${rounded(lrFactor)}`]),
    ...(momentum === undefined ? [] : [`momentum ${momentum}`]),
    ...(weightDecay === undefined ? [] : [`decay ${rounded(weightDecay)}`]),
    ...(weightDecayFactor === 1 ? [] : [`decay x ${rounded(weightDecayFactor)}`]),
    ...(epochs === undefined ? [] : [`for ${rounded(epochs)} epochs`]),
    ...(muon === undefined ? [] : [muonText(muon)]),
  ];
  return `${includes}: ${words.join(', ') || 'as all'}`;
}

function muonText({ iterations, coefficients, rescale }: MuonOptions): string {
  const when =
    rescale === 'every-step'
      ? 'in every step'
      : `after ${rescale.first} to ${rescale.first + Math.floor(rescale.growth)} steps`;
  return `${iterations} iterations with ${coefficients.join(', ')}, length put right ${when}`;
}

/** `crop 32x32`, `flip-lr alternating`: the kind, its numbers, what is true of it. */
function sized({ kind, ...rest }: Transform): string {
  const entries = Object.entries(rest) as [string, number | boolean][];
  const numbers = entries.flatMap(([, value]) => (typeof value === 'number' ? [value] : []));
  const flags = entries.flatMap(([key, value]) =>
    value === true ? [key.replace(/^is/, '').toLowerCase()] : [],
  );
  return [kind, ...(numbers.length === 0 ? [] : [numbers.join('x')]), ...flags].join(' ');
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
