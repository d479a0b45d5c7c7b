import type { Run } from './run';

/**
 * What tells a run from its experiment as it is: the values that were changed, and the seconds that it was fitted into, as in
 * `budget=600`.
 */
export function runChanges({ overrides, budget }: Pick<Run, 'overrides' | 'budget'>): string[] {
  return [...overrides, ...(budget === undefined ? [] : [`budget=${budget.seconds}`])];
}
