import { distance } from 'fastest-levenshtein';

/**
 * The entry of `names` with the smallest edit distance (Levenshtein) to `name`; `undefined` if every entry differs in more
 * than half of its characters, too many for a typo.
 */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let fewest = Infinity;
  for (const candidate of names) {
    const edits = distance(name, candidate);
    if (edits < fewest && edits <= Math.max(name.length, candidate.length) / 2) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

/** The end of an error message: ` Nearest: "x".`, or an empty string. */
export function nearestHint(name: string, names: Iterable<string>): string {
  const found = nearest(name, names);
  return found === undefined ? '' : ` Nearest: "${found}".`;
}
