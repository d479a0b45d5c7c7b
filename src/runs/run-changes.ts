import type { Run } from './run';

/**
 * The differences between a run and its unchanged experiment: the overrides, and the budget in seconds, as in `budget=600`.
 */
export function runChanges({ overrides, budget }: Pick<Run, 'overrides' | 'budget'>): string[] {
  return [...overrides, ...(budget === undefined ? [] : [`budget=${budget.seconds}`])];
}
