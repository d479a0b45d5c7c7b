/**
 * A number with a fixed count of decimals, exactly as C and Python print it: `nan` and `inf` in lower case, and ties
 * rounded to even (`toFixed` rounds them away from zero, so 94.125 would print 94.13).
 *
 * @param decimals 0 to 60
 */
export function fixed(value: number, decimals: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const up = value.toFixed(decimals);
  // toFixed is exact, and after the cut a tie has a 5 and nothing else: 30 more digits tell it from a near miss.
  const exact = value.toFixed(decimals + 30);
  const cut = exact.length - 30;
  const isTie = /^50*$/.test(exact.slice(cut));
  const lastIsOdd = '13579'.includes(up.slice(-1));
  return isTie && lastIsOdd ? exact.slice(0, cut).replace(/\.$/, '') : up;
}
