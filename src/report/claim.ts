/**
 * A line that says whether figures stand in the order that is claimed: what was found, from the smallest to the largest,
 * and how that compares.
 *
 * @param values by name, in the claimed order, the smallest first
 * @param digits significant digits; default: 3
 * @throws RangeError if there are less than two
 * @example
 * ```ts
 * claim('largest eigenvalue', { 'batch norm': 128, frozen: 2246 });
 * // 'largest eigenvalue: batch norm 128 < frozen 2250, as in the study'
 * ```
 */
export function claim(what: string, values: Readonly<Record<string, number>>, digits = 3): string {
  const claimed = Object.entries(values);
  if (claimed.length < 2) {
    throw new RangeError(`claim: ${claimed.length} figures have no order. Give two at least.`);
  }
  const found = claimed.toSorted(([, a], [, b]) => a - b);
  const told = found
    .map(([name, value]) => `${name} ${Number(value.toPrecision(digits))}`)
    .join(' < ');
  const isAsClaimed = claimed.every(([, value], i) => i === 0 || claimed[i - 1][1] < value);
  const names = claimed.map(([name]) => name).join(' < ');
  return `${what}: ${told}, ${isAsClaimed ? 'as in the study' : `but in the study ${names}`}`;
}
