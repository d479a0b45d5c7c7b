import { z } from 'zod';
import type { HostTensor } from '../base/host-tensor';
import type { PaceChange } from '../train/pace';
import type { EpochRow } from '../train/training';
import type { Load } from './load';
import { loadSchema } from './load-schema';

const count = z.int('an integer from 0').min(0, 'an integer from 0');
const seconds = z.number('seconds').min(0, 'seconds');
const figures = z.strictObject({
  time: seconds,
  loss: z.number('a finite number'),
  acc: z
    .number('a number from 0 to 1')
    .min(0, 'a number from 0 to 1')
    .max(1, 'a number from 0 to 1'),
});

/** A row of `log.jsonl` and of a checkpoint's metadata. */
const epochRow: z.ZodType<EpochRow> = z.strictObject({
  epoch: z.int('an integer from 1').min(1, 'an integer from 1'),
  lr: z.number('a finite number'),
  train: figures,
  valid: figures,
  'total time': seconds,
});

/** The fields of a checkpoint's metadata. */
export interface CheckpointFacts {
  readonly epoch: number;
  readonly batches: number;
  readonly timeSec: number;
  readonly totalSec: number;
  readonly rows: readonly EpochRow[];
  readonly pace?: readonly PaceChange[];
  readonly load?: Load;
}

const facts = z.strictObject({
  epoch: count,
  batches: count,
  timeSec: seconds,
  totalSec: seconds,
  rows: z.array(epochRow, 'a list of rows'),
  pace: z.exactOptional(
    z.array(
      z.strictObject({
        step: count,
        position: z.number('a number of steps').min(0, 'a number of steps'),
        rate: z.number('a positive number').positive(),
      }),
      'a list of changes of pace',
    ),
  ),
  load: z.exactOptional(loadSchema),
});

/**
 * Checks the metadata of a checkpoint: types, and one row per finished epoch.
 *
 * @throws Error that names the field and what was expected
 */
export function checkFacts(value: unknown): CheckpointFacts {
  const found = facts.safeParse(value);
  if (!found.success) {
    const [{ path, message }] = found.error.issues;
    throw new Error(`"${path.join('.')}" in its metadata is invalid; expected ${message}`);
  }
  const { epoch, rows } = found.data;
  if (rows.length !== epoch || rows.some((row, i) => row.epoch !== i + 1)) {
    throw new Error(`it has ${rows.length} rows of epochs, expected those of epoch 1 to ${epoch}`);
  }
  return found.data;
}

/** @throws Error if the sums over an unfinished epoch are not four float32 scalars */
export function checkTotals(totals: Readonly<Record<string, HostTensor>>): void {
  for (const name of ['loss', 'correct', 'count', 'firstBadStep']) {
    const found = totals[name];
    if (found?.data instanceof Float32Array && found.shape.length === 0) continue;
    throw new Error(`"totals/${name}" is not a float32 scalar`);
  }
}
