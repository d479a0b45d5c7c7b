import { fixed } from './fixed';

/** The fields that {@link tsv} reads; the rows of the epoch table have them. */
export interface TsvRow {
  readonly epoch: number;
  /** Seconds since the start, without validation. */
  readonly 'total time': number;
  readonly valid: {
    /** Between 0 and 1. */
    readonly acc: number;
  };
}

/**
 * The text of DAWNBench's `logs.tsv`: epoch, hours with 8 decimals, test accuracy in percent with 2; no line break at
 * the end.
 *
 * @see Coleman et al., DAWNBench: An End-to-End Deep Learning Benchmark and Competition (2017)
 */
export function tsv(rows: readonly TsvRow[]): string {
  const lines = rows.map(({ epoch, 'total time': totalSec, valid }) => {
    return `${epoch}\t${fixed(totalSec / 3600, 8)}\t${fixed(100 * valid.acc, 2)}`;
  });
  return ['epoch\thours\ttop1Accuracy', ...lines].join('\n');
}
