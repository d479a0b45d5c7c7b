import { describe, expect, test } from 'vitest';
import { OptimError } from '../base/errors';
import { checkNewtonSchulz } from './newton-schulz-range';

const jordan = [3.4445, -4.775, 2.0315] as const;
const hiverge = [3.4576, -4.7391, 2.0843] as const;

describe('checkNewtonSchulz', () => {
  test.each([
    [0, hiverge],
    [3, hiverge],
    [3, jordan],
    [5, jordan],
    [50, jordan],
    // The cubic iteration, which converges to 1.
    [20, [1.5, -0.5, 0]],
  ] as const)('takes %i iterations with %j', (iterations, coefficients) => {
    expect(() => checkNewtonSchulz(iterations, coefficients)).not.toThrow();
  });

  test.each([
    [4, hiverge, /4 iterations .*3\.4576, -4\.7391, 2\.0843 .*up to 2\.48; .*at most 3, or the/],
    [5, hiverge, /up to 132; .*at most 3/],
    [40, hiverge, /up to Infinity; .*at most 3/],
    [1, [3, 0, 0], /up to 3\.00; they should be near 1\. Use the coefficients 3\.4445/],
    [2, [Number.NaN, 0, 0], /NaN, 0, 0 enlarge singular values up to Infinity/],
    [2.5, jordan, /2\.5 iterations .* whole number/],
    [-1, jordan, /-1 iterations .* whole number/],
  ] as const)('refuses %d iterations with %j', (iterations, coefficients, message) => {
    expect(() => checkNewtonSchulz(iterations, coefficients)).toThrow(OptimError);
    expect(() => checkNewtonSchulz(iterations, coefficients)).toThrow(message);
  });
});
