// Parses flags of the benchmarks.

/** The value of a flag as a positive integer. @throws TypeError if it is not one */
export function wholeNumber(flag, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new TypeError(`--${flag} must be a positive integer, as in --${flag} 8; got "${text}".`);
  }
  return value;
}
