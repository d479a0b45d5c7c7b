import type { ModelSession } from './model-session';
import { batchBounds } from './rows';
import type { Rows } from './rows';

/** Losses and metrics of a data set, as `evaluate` averages them: over examples, batch by batch. */
export async function evaluateRows(
  session: ModelSession,
  rows: readonly Rows[],
  batchSize: number,
): Promise<number[]> {
  const count = rows[0].count;
  const totals: number[] = [];
  for (const [start, end] of batchBounds(count, batchSize)) {
    const figures = await session.test(rows.map((part) => part.slice(start, end)));
    for (const [index, figure] of figures.entries()) {
      totals[index] = (totals[index] ?? 0) + figure * (end - start);
    }
  }
  return totals.map((total) => total / count);
}
