import { z } from 'zod';

// The message of each check completes a sentence that ends in "expected".

/** An integer of at least `least`. */
export const whole = (least: number): z.ZodType<number> => {
  const expected = `a whole number of at least ${least}`;
  return z.int(expected).min(least, expected);
};
export const number: z.ZodNumber = z.number('a number');
export const positive: z.ZodNumber = z.number('a positive number').positive('a positive number');
export const fromZero: z.ZodNumber = z
  .number('a number of at least 0')
  .min(0, 'a number of at least 0');
export const belowOne: z.ZodNumber = fromZero.lt(1, 'a number below 1');
export const truth: z.ZodBoolean = z.boolean('true or false');
/** One of a list of strings. */
export const oneOf = <const T extends string>(words: readonly T[]): z.ZodType<T> =>
  z.enum(words, `one of ${words.join(', ')}`);
export const list = <T>(item: z.ZodType<T>): z.ZodType<T[]> => z.array(item, 'a list');

/**
 * Adds the meaning of a value and, if given, its unit to a schema; `show` prints them beside the value.
 *
 * @example
 * ```ts
 * about(positive, 'length of the run', 'epochs').meta(); // → { description: 'length of the run', unit: 'epochs' }
 * ```
 */
export function about<T extends z.ZodType>(schema: T, description: string, unit?: string): T {
  return schema.meta({ description, ...(unit === undefined ? {} : { unit }) });
}
