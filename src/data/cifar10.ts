import { dirname } from 'node:path';
import { DataError } from '../base/errors';
import { batchFolder, sweepStaging } from './cache';
import { decodeRecords, imageBytes, recordBytes } from './decode';
import { type DataOptions, fetchCifar10 } from './download';
import { type Edition, cifar10Edition, exampleRanges } from './edition';
import { type FileCheck, type Place, checkBatch, findLocal, readBatches } from './local';

/** Examples in their original order: `images` is `[N,32,32,3]`, values 0..255, and `labels` `[N]`, values 0..9. */
export interface Split {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** The whole of CIFAR-10: 50,000 training and 10,000 test examples. */
export interface Cifar10 {
  readonly train: Split;
  readonly valid: Split;
  /** Name of each label. */
  readonly classes: readonly string[];
  /** The folder or archive that was read. */
  readonly source: string;
}

/** The class names by label: `classes[label]`. */
export const classes: readonly string[] = [
  'airplane',
  'automobile',
  'bird',
  'cat',
  'deer',
  'dog',
  'frog',
  'horse',
  'ship',
  'truck',
];

/**
 * Reads CIFAR-10 from `dataDir`. Default: from the cache, after fetching any file that is missing or damaged there.
 *
 * Every load compares every file with its SHA-256, on another thread while the file is decoded, so no state is kept
 * between runs. The arrays are new and owned by the caller.
 *
 * @throws DataError if a file is missing or damaged and cannot be fetched; `signal.reason` if the signal aborts.
 */
export async function loadCifar10(options: DataOptions = {}): Promise<Cifar10> {
  const { dataDir, edition = cifar10Edition } = options;
  if (dataDir !== undefined) {
    const { cifar10, problems } = await read(await findLocal(dataDir, edition), options);
    if (cifar10) return cifar10;
    throw new DataError(
      `cifar10: ${problems.join('; ')}. Replace it, or leave out --data-dir to have CIFAR-10 fetched.`,
    );
  }
  const place: Place = { kind: 'binary', path: batchFolder(options.cacheDir) };
  const first = await read(place, options);
  if (first.cifar10) {
    await sweepStaging(place.path);
    return first.cifar10;
  }
  await fetchCifar10(options);
  const second = await read(place, options);
  if (second.cifar10) return second.cifar10;
  throw new DataError(
    `cifar10: ${second.problems.join('; ')}, right after it was verified. Check the disk under ${dirname(place.path)}.`,
  );
}

/**
 * Compares every file in `dataDir` (default: the cache) with its SHA-256. Fetches nothing.
 *
 * Returns one check per file, in the order of the edition. Files in another layout are converted to the official one first.
 *
 * @throws DataError if `dataDir` holds no CIFAR-10, or an archive there cannot be read to its end.
 */
export async function verifyCifar10(options: DataOptions = {}): Promise<readonly FileCheck[]> {
  const { dataDir, cacheDir, signal, edition = cifar10Edition } = options;
  const place: Place =
    dataDir === undefined
      ? { kind: 'binary', path: batchFolder(cacheDir) }
      : await findLocal(dataDir, edition);
  const checks = new Map<string, FileCheck>();
  for await (const batch of readBatches(place, edition, { signal })) {
    checks.set(batch.file.name, await checkBatch(batch));
  }
  return edition.files.flatMap(({ name }) => checks.get(name) ?? []);
}

/**
 * The first `count` examples of a split, in order; all of them if it has fewer. A view: nothing is copied.
 *
 * @throws DataError if `count` is not a positive integer.
 */
export function subset({ images, labels }: Split, count: number): Split {
  if (!Number.isInteger(count) || count < 1) {
    throw new DataError(`subset: count must be a positive integer; got ${count}.`);
  }
  return { images: images.subarray(0, count * imageBytes), labels: labels.subarray(0, count) };
}

type Reading =
  | { readonly cifar10: Cifar10; readonly problems: readonly [] }
  | { readonly cifar10?: never; readonly problems: readonly string[] };

async function read(
  place: Place,
  { edition = cifar10Edition, onProgress, signal }: DataOptions,
): Promise<Reading> {
  const ranges = exampleRanges(edition);
  const splits = { train: emptySplit(edition, 'train'), valid: emptySplit(edition, 'valid') };
  const onBytes = (doneBytes: number, totalBytes: number): void => {
    onProgress?.({ phase: 'read', source: place.path, doneBytes, totalBytes });
  };
  const problems: string[] = [];
  for await (const batch of readBatches(place, edition, { signal, onBytes })) {
    const checking = checkBatch(batch);
    if (batch.state === 'found') {
      const { images, labels } = splits[batch.file.split];
      const { from, to } = ranges.get(batch.file)!;
      decodeRecords(
        batch.records,
        images.subarray(from * imageBytes, to * imageBytes),
        labels.subarray(from, to),
      );
    }
    const { problem } = await checking;
    if (problem !== '') problems.push(problem);
  }
  if (problems.length > 0) return { problems: [...new Set(problems)] };
  return { cifar10: { ...splits, classes, source: place.path }, problems: [] };
}

function emptySplit(edition: Edition, split: keyof Pick<Cifar10, 'train' | 'valid'>): Split {
  const files = edition.files.filter((file) => file.split === split);
  const count = files.reduce((sum, { sizeBytes }) => sum + sizeBytes / recordBytes, 0);
  return { images: new Uint8Array(count * imageBytes), labels: new Uint8Array(count) };
}
