/** A clock in seconds. */
export type Clock = () => number;

/** Seconds on a clock that never goes back. */
export function wallClock(): number {
  return performance.now() / 1000;
}

/**
 * Measures pieces of a run. Each call returns the seconds since the last one and adds them to the total, unless told to
 * leave them out: that is how validation is excluded (the rule of DAWNBench).
 */
export interface Timer {
  (options?: { readonly isCounted?: boolean }): number;
  /** Seconds counted so far. */
  readonly totalSec: () => number;
}

/** Starts a timer; `countedSec` were counted before, by another one. */
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
