/** The part of a run that says how it differs from its experiment. */
interface Changed {
  readonly overrides: readonly string[];
  readonly budget?: { readonly seconds: number };
}

/**
 * The differences between a run and its unchanged experiment: the overrides, and the budget in seconds, as in `budget=600`.
 */
export function runChanges({ overrides, budget }: Changed): string[] {
  return [...overrides, ...(budget === undefined ? [] : [`budget=${budget.seconds}`])];
}
