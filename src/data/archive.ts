import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { ReadEntry } from 'tar';
import { DataError } from '../base/errors';
import { checkRegular } from '../base/read-file';

/** A file of an archive. */
export interface ArchiveEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** Progress and cancellation of reading an archive. */
export interface ArchiveWatch {
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of the archive read so far and in total. */
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
}

/** No archive of CIFAR-10 is larger, packed or unpacked: pickled at protocol 0 it has 0.7 GB. */
const mostUnpackedBytes = 2 ** 30;

/**
 * The files of a tar archive, gzipped or not, one at a time. Nothing is written to disk.
 *
 * @param mostBytes the size limit for a file name; `undefined` skips the file
 * @throws DataError if the archive cannot be unpacked, unpacks to more than 1 GiB, or a wanted file is larger than
 *   `mostBytes`, by its header and before any of it is unpacked
 */
export async function* readEntries(
  path: string,
  mostBytes: (name: string) => number | undefined,
  { signal, onBytes }: ArchiveWatch,
): AsyncGenerator<ArchiveEntry> {
  const { Parser } = await import('tar');
  const ready: ArchiveEntry[] = [];
  let failure: Error | undefined;
  const parser = new Parser();
  parser.on('error', (error: Error) => {
    failure ??= error;
  });
  parser.on('entry', (entry: ReadEntry) => {
    const most = isFile(entry) ? mostBytes(entry.path) : undefined;
    if (most !== undefined && entry.size > most) {
      failure ??= new Error(`${entry.path} has ${entry.size} bytes; at most ${most} are read`);
    }
    if (most === undefined || failure !== undefined) {
      entry.resume();
      return;
    }
    const parts: Buffer[] = [];
    entry.on('data', (part: Buffer) => parts.push(part));
    entry.on('end', () => ready.push({ name: entry.path, content: Buffer.concat(parts) }));
  });
  let unpackedBytes = 0;
  try {
    for await (const piece of unpacked(path, onBytes)) {
      signal?.throwIfAborted();
      unpackedBytes += piece.length;
      if (unpackedBytes > mostUnpackedBytes) failure ??= new Error('it unpacks to more than 1 GiB');
      if (failure !== undefined) throw failure;
      parser.write(piece);
      if (failure !== undefined) throw failure as Error;
      yield* ready.splice(0);
    }
    parser.end();
    if (failure !== undefined) throw failure;
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof DataError) throw cause;
    throw new DataError(
      `cifar10: ${path} cannot be unpacked (${(cause as Error).message}). ` +
        'It is cut short, damaged, or not an archive of CIFAR-10.',
      { cause },
    );
  }
  yield* ready;
}

function isFile({ type }: ReadEntry): boolean {
  return type === 'File' || type === 'OldFile' || type === 'ContiguousFile';
}

/** The bytes of a tar archive in pieces, unpacked on demand. */
async function* unpacked(path: string, onBytes: ArchiveWatch['onBytes']): AsyncGenerator<Buffer> {
  const file = await open(path);
  try {
    const stats = await file.stat();
    checkRegular(stats, mostUnpackedBytes);
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    const packed = file.createReadStream({ start: 0, highWaterMark: 1 << 20, autoClose: false });
    const isGzip = buffer[0] === 0x1f && buffer[1] === 0x8b;
    const pieces = isGzip
      ? pipeline(packed, createGunzip({ chunkSize: 1 << 20 }), () => undefined)
      : packed;
    for await (const piece of pieces) {
      onBytes?.(packed.bytesRead, stats.size);
      yield piece as Buffer;
    }
  } finally {
    await file.close();
  }
}
