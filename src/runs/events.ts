import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Reader } from 'protobufjs/minimal';
import type { RunError } from '../base/errors';
import { openSummaryWriter } from '../engine/summary';
import type { SummaryWriter } from '../engine/summary';
import type { EpochRow } from '../train/training';
import { cannotWrite } from './folder';
import type { RunFolder } from './folder';

/** Writes a run's rows for TensorBoard: `events.out.tfevents.…` in the run's folder. */
export interface Events {
  /** Appends an epoch and flushes the file. @throws RunError if it cannot be written */
  append(row: EpochRow): void;
  close(): void;
}

/**
 * Opens the events of a run whose rows so far are `rows`.
 *
 * Events of an earlier process are kept for the epochs in `rows`, with their original time of day. Later epochs, which will
 * be trained again, and a half-written epoch are truncated. Missing rows are added. So every epoch occurs exactly once,
 * however often a run was killed.
 *
 * @throws RunError if they cannot be written
 */
export async function openEvents(
  folder: RunFolder,
  rows: readonly EpochRow[],
  flag: string,
): Promise<Events> {
  const failed = (cause: unknown): RunError => {
    // TensorFlow's message: a line with the status; a line with the file (optional) and the reason; then the attempted action.
    const [, reason = (cause as Error).message] =
      /Message: (?:.*?; )?(.*)/.exec((cause as Error).message) ?? [];
    const code = /no space|quota/i.test(reason) ? 'ENOSPC' : 'EIO';
    return cannotWrite(join(folder.path, prefix), flag, Object.assign(new Error(reason), { code }));
  };
  let epoch = 0;
  const files = (await folder.list()).filter((name) => name.startsWith(prefix));
  // File names start with their creation time in seconds and end with a number.
  for (const name of files.toSorted(byName.compare)) {
    const kept = wholeEpochs(await folder.read(name), epoch, rows.length);
    if (kept.epoch === epoch) await folder.remove(name);
    else await truncate(join(folder.path, name), kept.bytes);
    epoch = kept.epoch;
  }
  let writer: SummaryWriter | undefined;
  const append = (row: EpochRow): void => {
    try {
      writer ??= openSummaryWriter(folder.path);
      for (const [tag, value] of scalars) writer.scalar(tag, value(row), row.epoch);
      writer.flush();
    } catch (cause) {
      throw failed(cause);
    }
  };
  for (const row of rows.slice(epoch)) append(row);
  return {
    append,
    close() {
      try {
        writer?.close();
      } catch {
        // Every row was flushed when it was appended, and a failure was reported then.
      }
    },
  };
}

const prefix = 'events.out.tfevents';
const byName = new Intl.Collator('en', { numeric: true });

/** The numbers of an epoch by tag; TensorBoard groups tags by the part before the slash. */
const scalars: readonly (readonly [tag: string, value: (row: EpochRow) => number])[] = [
  ['loss/train', ({ train }) => train.loss],
  ['loss/valid', ({ valid }) => valid.loss],
  ['acc/train', ({ train }) => train.acc],
  ['acc/valid', ({ valid }) => valid.acc],
  ['lr', ({ lr }) => lr],
  ['time/train', ({ train }) => train.time],
  ['time/valid', ({ valid }) => valid.time],
  ['time/total', (row) => row['total time']],
];

/**
 * The number of bytes of an event file to keep, so that it continues after `epoch` with whole epochs up to `last`, and the
 * last epoch kept.
 *
 * A TFRecord is a length (8 bytes), a checksum of the length (4), the event, and a checksum of the event (4). The first event
 * is the format version; each later one is one number of one epoch. The first unexpected event is where a process was killed,
 * or where discarded epochs start.
 */
function wholeEpochs(
  bytes: Buffer,
  epoch: number,
  last: number,
): { readonly bytes: number; readonly epoch: number } {
  let kept = { bytes: 0, epoch };
  let numbers = 0;
  for (let at = 0; at + 12 <= bytes.length;) {
    const start = at + 12;
    const end = start + Number(bytes.readBigUInt64LE(at));
    if (end + 4 > bytes.length) break;
    const step = stepOf(bytes.subarray(start, end));
    if (at > 0) {
      if (step !== kept.epoch + 1 || step > last) break;
      numbers += 1;
    }
    at = end + 4;
    if (numbers < scalars.length) continue;
    numbers = 0;
    kept = { bytes: at, epoch: step };
  }
  return kept;
}

/** The step of an event: field 2 of the message; 0 if it is absent or the bytes are not a message. */
function stepOf(event: Uint8Array): number {
  const reader = Reader.create(event);
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 2 << 3) return Number(reader.int64());
      reader.skipType(tag & 7);
    }
  } catch {
    // A damaged event has step 0, so the file is truncated there.
  }
  return 0;
}
