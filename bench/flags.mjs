// What the flags of the benchmarks have in common.

/** The number that a flag was given. */
export function wholeNumber(flag, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new TypeError(`--${flag} "${text}" is not a whole number from 1. As in --${flag} 8.`);
  }
  return value;
}
