import { createHash } from 'node:crypto';
import { UsageError } from './errors';

/** A stream of random numbers; every draw advances it. Made by {@link createRng}. */
export interface Rng {
  /** An integer in [0, 2^32), all equally likely. */
  readonly nextUint32: () => number;
  /** A double in [0, 1), a multiple of 2^-53; takes two words of the generator. */
  readonly uniform: () => number;
  /** An integer in [0, n), exactly uniform. @throws RangeError unless n is an integer in 1..2^32. */
  readonly integer: (n: number) => number;
  /** A draw from the normal distribution of mean 0 and standard deviation 1. */
  readonly normal: () => number;
  /** Shuffles `values` in place, all orders equally likely; returns the same object. */
  readonly shuffle: <T extends Int32Array | unknown[]>(values: T) => T;
  /** The integers 0..n-1 in random order. @throws RangeError unless n is an integer in 0..2^31-1. */
  readonly permutation: (n: number) => Int32Array;
  /**
   * Fills `values` with draws from U[lo, hi), one word and 24 random bits each; returns the same array. `hi` itself
   * can only come from rounding to float32, where |lo| is much larger than hi - lo.
   */
  readonly fillUniform: (values: Float32Array, lo: number, hi: number) => Float32Array;
}

/** The four 32-bit words of the generator's state; not all zero. */
export type RngState = readonly [number, number, number, number];

/**
 * A generator for a seed and a named stream, as in `createRng(seed, 'augment', epoch)`.
 *
 * The same seed and stream give the same numbers on every machine, and another stream gives unrelated ones, so a run
 * saves no generator state: on resuming it creates the stream of its epoch again. `1` and `1n` are the same seed; `1` and
 * `'1'` name different streams, and so do `('ab')` and `('a', 'b')`.
 *
 * The state is the first 128 bits, as little-endian words, of the SHA-256 of the JSON array of seed (in decimal, as a
 * string) and stream (UTF-8). {@link rngFromState} starts from that state.
 *
 * @throws UsageError if the seed or a number of the stream is not an integer that a double holds exactly.
 */
export function createRng(seed: number | bigint, ...stream: readonly (string | number)[]): Rng {
  for (const part of [seed, ...stream]) {
    if (typeof part === 'number' && !Number.isSafeInteger(part)) {
      throw new UsageError(
        `rng: seed ${seed}, stream [${stream.join(', ')}]: ${part} is not a whole number below 2^53. ` +
          'Give an integer; a larger seed as a bigint.',
      );
    }
  }
  const digest = createHash('sha256')
    .update(JSON.stringify([String(seed), ...stream]))
    .digest();
  return rngFromState([
    digest.readUInt32LE(0),
    digest.readUInt32LE(4),
    digest.readUInt32LE(8),
    digest.readUInt32LE(12),
  ]);
}

/**
 * The generator xoshiro128** 1.1 from a given state: period 2^128 - 1, 32-bit words.
 *
 * The generator uses only 32-bit integer arithmetic, comparisons and exact scaling by powers of two, so no result depends
 * on the machine's maths library. Integers below n are the top bits of a word, redrawn until they are below n. Normal
 * draws use Karney's algorithm N, which needs no logarithm, sine or table.
 *
 * @throws RangeError if the state is all zero, which the generator would never leave.
 * @see Blackman and Vigna, Scrambled Linear Pseudorandom Number Generators, ACM TOMS 47 (2021), arXiv:1805.01407;
 *   https://prng.di.unimi.it/xoshiro128starstar.c.
 * @see Karney, Sampling exactly from the normal distribution, ACM TOMS 42 (2016), arXiv:1303.6257. We compare words of
 *   32 bits where the paper draws digits as needed, and return a fraction of 53 bits.
 */
export function rngFromState(state: RngState): Rng {
  if (state.every((word) => word >>> 0 === 0)) {
    throw new RangeError('rng: the state is all zero; give at least one nonzero word.');
  }
  const s = Int32Array.from(state);

  function nextInt32(): number {
    const s1 = s[1];
    const s2 = s[2] ^ s[0];
    const s3 = s[3] ^ s1;
    const scaled = Math.imul(s1, 5);
    s[1] = s1 ^ s2;
    s[0] ^= s3;
    s[2] = s2 ^ (s1 << 9);
    s[3] = (s3 << 11) | (s3 >>> 21);
    return Math.imul((scaled << 7) | (scaled >>> 25), 9);
  }

  function nextUint32(): number {
    return nextInt32() >>> 0;
  }

  function uniform(): number {
    const high = nextInt32() >>> 5;
    const low = nextInt32() >>> 6;
    return (high * 2 ** 26 + low) * 2 ** -53;
  }

  function integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new RangeError(`rng: integer(${n}) needs a whole number from 1 to 2^32.`);
    }
    if (n === 1) return 0;
    const shift = Math.clz32(n - 1);
    for (;;) {
      const found = nextInt32() >>> shift;
      if (found < n) return found;
    }
  }

  const normal = normalDraws(nextInt32, uniform);

  function shuffle<T extends Int32Array | unknown[]>(values: T): T {
    for (let i = values.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      const moved = values[i];
      values[i] = values[j];
      values[j] = moved;
    }
    return values;
  }

  function permutation(n: number): Int32Array {
    if (!Number.isInteger(n) || n < 0 || n >= 2 ** 31) {
      throw new RangeError(`rng: permutation(${n}) needs a whole number from 0 to 2^31 - 1.`);
    }
    const values = new Int32Array(n);
    for (let i = 0; i < n; i++) values[i] = i;
    return shuffle(values);
  }

  function fillUniform(values: Float32Array, lo: number, hi: number): Float32Array {
    const scale = (hi - lo) * 2 ** -24;
    for (let i = 0; i < values.length; i++) values[i] = lo + (nextInt32() >>> 8) * scale;
    return values;
  }

  return { nextUint32, uniform, integer, normal, shuffle, permutation, fillUniform };
}

/** Karney's algorithm N on words and uniform draws of a generator. */
function normalDraws(nextInt32: () => number, uniform: () => number): () => number {
  /** True with probability exp(-1/2): the length of a falling run that starts below one half is even. */
  function halfLife(): boolean {
    let last = 2 ** 31;
    for (let length = 0; ; length++) {
      const word = nextInt32() >>> 0;
      if (word >= last) return length % 2 === 0;
      last = word;
    }
  }

  /** True with probability exp(-x (2k + x) / (2k + 2)), by a falling run that any step may also end. */
  function tailStep(k: number, x: number): boolean {
    let last = x * 2 ** 32;
    for (let length = 0; ; length++) {
      const word = nextInt32() >>> 0;
      if (word >= last || uniform() * (2 * k + 2) >= 2 * k + x) return length % 2 === 0;
      last = word;
    }
  }

  return () => {
    for (;;) {
      let k = 0;
      while (halfLife()) k++;
      if (!all(k * (k - 1), halfLife)) continue;
      const x = uniform();
      if (!all(k + 1, () => tailStep(k, x))) continue;
      return nextInt32() < 0 ? -(k + x) : k + x;
    }
  };
}

/** Whether `count` trials in a row succeed; stops at the first failure. */
function all(count: number, trial: () => boolean): boolean {
  for (let i = 0; i < count; i++) if (!trial()) return false;
  return true;
}
