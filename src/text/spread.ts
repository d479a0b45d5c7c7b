import { fixed } from './fixed';

/** A mean and its standard deviation: `94.17 ± 0.21`; for a single run, the value alone. */
export function spreadText(
  { mean, sd }: { readonly mean: number; readonly sd: number | null },
  decimals = 2,
): string {
  return fixed(mean, decimals) + (sd === null ? '' : ` ± ${fixed(sd, decimals)}`);
}

/** Both ends of an interval: `94.03 to 94.23`; undefined if an end is unknown. */
export function intervalText(
  interval: { readonly low?: number; readonly high?: number } | null,
): string | undefined {
  const { low, high } = interval ?? {};
  return low === undefined || high === undefined
    ? undefined
    : `${fixed(low, 2)} to ${fixed(high, 2)}`;
}
