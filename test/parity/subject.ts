import { compare } from '../expect-close';
import type { Numbers } from '../expect-close';
import type { Engine } from './engine';

/** One thing that a fixture says: a tensor, to be met within the bar, or anything else, to be met exactly. */
export type Said = Numbers | { readonly exactly: unknown };

/** The library's answer. */
export interface Measured {
  /** By the names that the fixture has for it; what the fixture does not say may be there too. */
  readonly values: ReadonlyMap<string, Said>;
  /** What a reader of the result should know. */
  readonly note?: string;
}

/** A fixture, or a part of one, and how the library's own answer is come by. */
export interface Subject {
  /** The fixture's file, without its ending. */
  readonly file: string;
  /** Said by the fixture, by name. */
  readonly expected: ReadonlyMap<string, Said>;
  /** Asks the library. */
  readonly measure: (engine: Engine) => Promise<Measured>;
  /** Whether no engine is asked, so that one run stands for all modes. */
  readonly isHost?: boolean;
  /** Why it cannot be measured on this machine, where it cannot. */
  readonly missing?: string;
}

/** Tells what is compared by closeness from what is compared exactly. */
export function isNumbers(said: Said): said is Numbers {
  return !('exactly' in said);
}

/** Names in an order that both sides of a comparison share. */
export function sorted(names: Iterable<string>): string[] {
  const list = [...names];
  list.sort();
  return list;
}

/** A list of numbers as a tensor `[n]`. */
export function vector(data: ArrayLike<number>): Numbers {
  return { shape: [data.length], data };
}

/** How far off each tensor is that a fixture holds, relative to its largest element; Infinity where there is none. */
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
