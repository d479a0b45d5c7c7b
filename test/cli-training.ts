import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EpochRow } from '../src/train/training';
import { jsonLines } from './cli-process';
import { figures } from './epoch-row';

/** The arguments of a training run at smoke scale. */
export const smoke = (logDir: string, ...more: string[]): string[] => [
  'train',
  'demo',
  '--scale',
  'smoke',
  '--log-dir',
  logDir,
  ...more,
];

/** What a run's `log.jsonl` holds. */
export const rowsIn = (folder: string): EpochRow[] =>
  jsonLines(readFileSync(join(folder, 'log.jsonl'), 'utf8')) as EpochRow[];

/** Everything that the same seed must reproduce: all but the times. */
export const figuresOf = (rows: readonly EpochRow[]): unknown[] => rows.map(figures);

/** A line about other programs, as a run prints it on a busy machine. */
export const isBusy = (line: string): boolean => line.startsWith('other programs used ');
