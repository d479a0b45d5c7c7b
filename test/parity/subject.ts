import { compare } from '../expect-close';
import type { Numbers } from '../expect-close';
import type { Engine } from './engine';

/** A value of a fixture: a tensor, compared within the bar, or anything else, compared exactly. */
export type Said = Numbers | { readonly exactly: unknown };

/** The library's results. */
export interface Measured {
  /** By the fixture's names; may hold more than the fixture does. */
  readonly values: ReadonlyMap<string, Said>;
  /** A remark about the result. */
  readonly note?: string;
}

/** A fixture, or a part of one, and how the library's results are measured. */
export interface Subject {
  /** The fixture's file name without extension. */
  readonly file: string;
  /** The fixture's values by name. */
  readonly expected: ReadonlyMap<string, Said>;
  /** Computes the library's results. */
  readonly measure: (engine: Engine) => Promise<Measured>;
  /** Whether no engine is used, so that one run is enough for all modes. */
  readonly isHost?: boolean;
  /** Why it cannot be measured on this machine; undefined if it can. */
  readonly missing?: string;
}

/** Whether a value is a tensor, which is compared within the bar and not exactly. */
export function isNumbers(said: Said): said is Numbers {
  return !('exactly' in said);
}

/** Sorts names, so that both sides of a comparison have the same order. */
export function sorted(names: Iterable<string>): string[] {
  const list = [...names];
  list.sort();
  return list;
}

/** A list of numbers as a tensor `[n]`. */
export function vector(data: ArrayLike<number>): Numbers {
  return { shape: [data.length], data };
}

/** Error of each tensor of a fixture, relative to its largest element; Infinity if the library has no such tensor. */
export function errorsOf(
  expected: ReadonlyMap<string, Said>,
  { values }: Measured,
): ReadonlyMap<string, number> {
  const errors = new Map<string, number>();
  for (const [name, said] of expected) {
    if (!isNumbers(said)) continue;
    const own = values.get(name);
    errors.set(name, own !== undefined && isNumbers(own) ? compare(own, said).error : Infinity);
  }
  return errors;
}
