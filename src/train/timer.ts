/** A clock in seconds. */
export type Clock = () => number;

/** Seconds on a monotonic clock. */
export function wallClock(): number {
  return performance.now() / 1000;
}

/**
 * Measures parts of a run. Each call returns the seconds since the previous call and adds them to the total, unless
 * `isCounted` is false. Validation is excluded this way (the rule of DAWNBench).
 */
export interface Timer {
  (options?: { readonly isCounted?: boolean }): number;
  /** Seconds counted so far. */
  readonly totalSec: () => number;
}

/** Starts a timer whose total starts at `countedSec`. */
export function startTimer(clock: Clock = wallClock, countedSec = 0): Timer {
  let last = clock();
  let totalSec = countedSec;
  const timer = ({ isCounted = true }: { readonly isCounted?: boolean } = {}): number => {
    const now = clock();
    const passed = now - last;
    last = now;
    if (isCounted) totalSec += passed;
    return passed;
  };
  return Object.assign(timer, { totalSec: () => totalSec });
}
