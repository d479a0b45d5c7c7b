import { createHash } from 'node:crypto';
import { DivergedError, RunError } from '../base/errors';
import { firstNotFinite, isHostTensor } from '../base/host-tensor';
import type { HostTensor } from '../base/host-tensor';
import { entries } from '../base/tree';
import { readSafetensors, writeSafetensors } from '../data/safetensors';
import type { StoredTensor } from '../data/safetensors';
import { checkFacts, checkTotals } from './checkpoint-schema';
import type { EpochRow, Learnt, Snapshot } from '../train/training';
import type { Totals } from '../train/steps';
import type { RunFolder } from './folder';
import type { Load } from './load';

/** The state of a training and its rows, from which a run resumes. */
export interface Checkpoint {
  readonly snapshot: Snapshot;
  /** The rows of the finished epochs. */
  readonly rows: readonly EpochRow[];
  /** How busy the processors were during its training; absent in checkpoints of older versions. */
  readonly load?: Load;
  /** The hash of the configuration of its run, see `configOf`. */
  readonly config: string;
}

/** The number of newest checkpoints that a run keeps, or all. */
export type KeptCheckpoints = number | 'all';

/** The checkpoint from which a folder's run can resume, and damaged ones. */
export interface Found {
  /** Absent if there is no checkpoint. */
  readonly checkpoint?: Checkpoint;
  readonly name?: string;
  /** Newer checkpoints that cannot be read, each with the reason; they were renamed to `….damaged`. */
  readonly damaged: readonly { readonly name: string; readonly reason: string }[];
}

const format = 'cifar10-fast checkpoint 1';
const pattern = /^checkpoint-(\d+)(?:-(\d+))?\.safetensors$/;
const parts = ['network', 'velocity', 'ema', 'extra'] as const;

/**
 * Writes the state of a training to `checkpoint-<epochs>.safetensors`, or `checkpoint-<epochs>-<batches>.safetensors`
 * within an epoch, and removes all but the last `keep` checkpoints, at least 1.
 *
 * Tensors are named `network/…`, `velocity/…`, `ema/…`, `extra/…`, after the parts of the session, and `totals/…`, the
 * sums over an unfinished epoch. The metadata hold the rest: `epoch`, `batches`, `totalSec`, `rows` and `load` (JSON),
 * `config`, the entries of `notes`, and the `sha256` of the contents.
 *
 * @throws DivergedError if a number is NaN or infinite
 * @throws RunError if the file cannot be written; earlier checkpoints are kept
 */
export async function keepCheckpoint(
  folder: RunFolder,
  checkpoint: Checkpoint,
  keep: KeptCheckpoints,
  notes: Readonly<Record<string, string>> = {},
): Promise<string> {
  const name = checkpointName(checkpoint.snapshot);
  await folder.write(name, encode(checkpoint, notes));
  if (keep !== 'all') {
    // A checkpoint with a later name was not written by this run: leave it, and do not count it.
    const names = await checkpointsIn(folder);
    await folder.remove(...names.slice(names.indexOf(name) + keep));
  }
  return name;
}

/**
 * Reads a checkpoint from a file or from its bytes.
 *
 * `snapshot.learnt` holds the tensors by part and path, as in `learnt.network['layer1/conv/weight']`. They are views of
 * the bytes.
 *
 * @throws DataError if it is not a safetensors file; RunError if it is not a checkpoint, is damaged, or holds NaN or infinity
 */
export function readCheckpoint(source: string | Uint8Array): Checkpoint {
  const { tensors, metadata } = readSafetensors(source);
  const text = (key: string): string => {
    const value = metadata[key];
    if (value === undefined) throw damaged(`its metadata has no "${key}"`);
    return value;
  };
  const json = (key: string): unknown => {
    try {
      return JSON.parse(text(key)) as unknown;
    } catch (cause) {
      throw damaged(`"${key}" in its metadata is not valid JSON`, { cause });
    }
  };
  if (metadata['format'] !== format) {
    throw damaged(`its format is ${JSON.stringify(metadata['format'])}, expected "${format}"`);
  }
  const { sha256, ...rest } = metadata;
  if (fingerprint(tensors, rest) !== sha256) {
    throw damaged('its contents do not match its SHA-256');
  }
  const held = (part: string): Record<string, HostTensor> =>
    Object.fromEntries(
      [...tensors]
        .filter(([path]) => path.startsWith(`${part}/`))
        .map(([path, { shape, data }]) => {
          if (data instanceof Float64Array || data instanceof BigInt64Array) {
            throw damaged(`"${path}" has an unsupported type`);
          }
          return [path.slice(part.length + 1), { shape, data }];
        }),
    );
  const bad = firstNotFinite(
    parts.flatMap((part) =>
      Object.entries(held(part)).map(([path, tensor]) => [`${part}/${path}`, tensor] as const),
    ),
  );
  if (bad !== undefined) throw damaged(bad);
  const learnt = Object.fromEntries(parts.map((part) => [part, held(part)])) as unknown as Learnt;
  const totals = held('totals');
  try {
    const { epoch, totalSec, batches, timeSec, rows, pace, load } = checkFacts({
      ...Object.fromEntries(
        ['epoch', 'batches', 'timeSec', 'totalSec', 'rows'].map((key) => [key, json(key)]),
      ),
      ...(metadata['pace'] === undefined ? {} : { pace: json('pace') }),
      ...(metadata['load'] === undefined ? {} : { load: json('load') }),
    });
    if (batches > 0) checkTotals(totals);
    const unfinished = { batches, timeSec, totals: totals as unknown as Totals };
    return {
      snapshot: {
        epoch,
        totalSec,
        learnt,
        ...(batches === 0 ? {} : { unfinished }),
        ...(pace === undefined ? {} : { pace }),
      },
      rows,
      ...(load === undefined ? {} : { load }),
      config: text('config'),
    };
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    throw damaged((cause as Error).message, { cause });
  }
}

/**
 * Reads a checkpoint of a folder and checks that its name has the epoch and batch of its contents.
 *
 * @throws as {@link readCheckpoint}, and RunError if the name does not match
 */
export function readNamedCheckpoint(name: string, source: string | Uint8Array): Checkpoint {
  const checkpoint = readCheckpoint(source);
  const written = checkpointName(checkpoint.snapshot);
  if (written !== name) throw damaged(`its contents belong to ${written}`);
  return checkpoint;
}

/** Seconds of training and evaluation that a checkpoint contains. */
export function secondsIn({ rows, snapshot: { unfinished } }: Checkpoint): number {
  const finished = rows.reduce((sum, { train, valid }) => sum + train.time + valid.time, 0);
  return finished + (unfinished?.timeSec ?? 0);
}

/** The name of the file that holds a state of a training. */
export function checkpointName({
  epoch,
  unfinished,
}: Pick<Snapshot, 'epoch' | 'unfinished'>): string {
  const batches = unfinished?.batches ?? 0;
  return `checkpoint-${epoch}${batches === 0 ? '' : `-${batches}`}.safetensors`;
}

/**
 * Finds the newest intact checkpoint of a folder. Renames newer, damaged ones to `….damaged`.
 *
 * @throws RunError if all checkpoints are damaged
 */
export async function lastCheckpoint(folder: RunFolder): Promise<Found> {
  const names = await checkpointsIn(folder);
  const damaged: { readonly name: string; readonly reason: string }[] = [];
  for (const name of names) {
    const bytes = await folder.read(name);
    let checkpoint: Checkpoint;
    try {
      checkpoint = readNamedCheckpoint(name, bytes);
    } catch (error) {
      damaged.push({ name, reason: (error as Error).message });
      continue;
    }
    for (const { name: bad } of damaged) await folder.move(bad, `${bad}.damaged`);
    return { checkpoint, name, damaged };
  }
  if (names.length === 0) return { damaged };
  const reasons = damaged.map(({ name, reason }) => `${name} (${reason})`).join('; ');
  throw new RunError(
    `run: no intact checkpoint in ${folder.path}: ${reasons}. Remove them to start again from epoch 1.`,
  );
}

/** Names of a folder's checkpoints, the newest first. */
async function checkpointsIn(folder: RunFolder): Promise<string[]> {
  return sortCheckpoints(await folder.list());
}

/** The names that belong to checkpoints, the one furthest in training first. */
export function sortCheckpoints(names: readonly string[]): string[] {
  const found = names.flatMap((name) => {
    const match = pattern.exec(name);
    return match === null
      ? []
      : [{ name, epoch: Number(match[1]), batches: Number(match[2] ?? 0) }];
  });
  found.sort((a, b) => b.epoch - a.epoch || b.batches - a.batches);
  return found.map(({ name }) => name);
}

function encode(
  { snapshot, rows, config, load }: Checkpoint,
  notes: Readonly<Record<string, string>>,
): Buffer {
  const { epoch, totalSec, learnt, unfinished, pace } = snapshot;
  const state = { ...learnt, ...(unfinished === undefined ? {} : { totals: unfinished.totals }) };
  const found = new Map(
    [...entries<HostTensor>(state, isHostTensor)].map(([path, tensor]) => {
      return [path.join('/'), tensor] as const;
    }),
  );
  const bad = firstNotFinite(found);
  if (bad !== undefined) {
    throw new DivergedError(
      `train: ${bad} after epoch ${epoch}. Lower the learning rate, or start with a lower one.`,
      { epoch },
    );
  }
  const tensors = new Map([...found].map(([name, tensor]) => [name, stored(tensor)] as const));
  const metadata = {
    ...notes,
    format,
    epoch: JSON.stringify(epoch),
    batches: JSON.stringify(unfinished?.batches ?? 0),
    timeSec: JSON.stringify(unfinished?.timeSec ?? 0),
    totalSec: JSON.stringify(totalSec),
    rows: JSON.stringify(rows),
    config,
    ...(pace === undefined ? {} : { pace: JSON.stringify(pace) }),
    ...(load === undefined ? {} : { load: JSON.stringify(load) }),
  };
  return writeSafetensors(tensors, { ...metadata, sha256: fingerprint(tensors, metadata) });
}

function stored({ shape, data }: HostTensor): StoredTensor {
  if (data instanceof Float32Array) return { dtype: 'F32', shape, data };
  if (data instanceof Int32Array) return { dtype: 'I32', shape, data };
  return { dtype: 'BOOL', shape, data };
}

/** The SHA-256 of a checkpoint: of its metadata, then of the tensors' names, types, shapes and bytes, each sorted by name. */
export function fingerprint(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): string {
  const hash = createHash('sha256');
  const texts = Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
  hash.update(`${JSON.stringify(texts)}\n`);
  for (const name of [...tensors.keys()].toSorted()) {
    const { dtype, shape, data } = tensors.get(name) as StoredTensor;
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}

function damaged(reason: string, options?: ErrorOptions): RunError {
  return new RunError(
    `checkpoint: ${reason}. Use another checkpoint, or another copy of this one.`,
    options,
  );
}
