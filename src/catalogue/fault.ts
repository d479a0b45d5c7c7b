import type { z } from 'zod';
import { nearestHint } from '../base/nearest';

type Json = { readonly [key: string]: unknown };

/**
 * Describes what is wrong with a value: the field, the value found there, and what was expected, as in
 * `"data.batchSize" is "x"; expected a whole number of at least 1.`
 *
 * @param issues zod's issues; the message of each check is what was expected
 * @param value the checked value
 * @param keysOf the keys that a field can have, for fields that allow no others
 */
export function faultOf(
  issues: readonly z.core.$ZodIssue[],
  value: unknown,
  keysOf: (where: string) => readonly string[] = () => [],
): string {
  const [issue] = issues;
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const [fewest] = issue.errors.toSorted((a, b) => a.length - b.length);
    const inner = fewest.map((each) => ({ ...each, path: [...issue.path, ...each.path] }));
    return faultOf(inner, value, keysOf);
  }
  const where = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys;
    const known = keysOf(where).filter((name) => !issue.keys.includes(name));
    const list = known.length === 0 ? '' : ` It can have: ${known.join(', ')}.`;
    return `"${where}" cannot have "${key}".${nearestHint(key, known)}${list}`;
  }
  const found = issue.path.reduce<unknown>(
    (part, key) => (part as Json | null | undefined)?.[String(key)],
    value,
  );
  const field = where === '' ? 'it' : `"${where}"`;
  return `${field} is ${shown(found)}; expected ${issue.message}.`;
}

/** A value in at most 60 characters. */
function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
