/**
 * A line that states whether figures are in the claimed order: the figures found, from smallest to largest, and how their
 * order compares.
 *
 * @param values by name, in the claimed order, the smallest first
 * @param digits significant digits. Default: 3
 * @throws RangeError if there are fewer than two figures
 * @example
 * ```ts
 * claim('largest eigenvalue', { 'batch norm': 128, frozen: 2246 });
 * // 'largest eigenvalue: batch norm 128 < frozen 2250, as in the study'
 * ```
 */
export function claim(what: string, values: Readonly<Record<string, number>>, digits = 3): string {
  const claimed = Object.entries(values);
  if (claimed.length < 2) {
    throw new RangeError(`claim: "${what}" needs at least two figures; got ${claimed.length}.`);
  }
  const found = claimed.toSorted(([, a], [, b]) => a - b);
  const ordered = found
    .map(([name, value]) => `${name} ${Number(value.toPrecision(digits))}`)
    .join(' < ');
  const isAsClaimed = claimed.every(([, value], i) => i === 0 || claimed[i - 1][1] < value);
  const names = claimed.map(([name]) => name).join(' < ');
  return `${what}: ${ordered}, ${isAsClaimed ? 'as in the study' : `but in the study ${names}`}`;
}
