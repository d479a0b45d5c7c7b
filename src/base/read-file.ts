import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';

/**
 * Reads a whole file, if it is a regular file of at most `mostBytes` bytes.
 *
 * Opening a named pipe blocks until somebody writes to it, and SIGTERM does not end a process that waits there; a device
 * may have no end. Both are refused before they are opened.
 *
 * @throws Error from the file system, or one that states which kind of file was found or how large it is; that message
 *   does not name the path
 */
export async function readRegularFile(path: string, mostBytes: number): Promise<Buffer> {
  checkRegular(await stat(path), mostBytes);
  const file = await open(path, flags);
  try {
    checkRegular(await file.stat(), mostBytes);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Reads a file of a run as UTF-8 text with {@link readRegularFile}, up to 256 MiB. */
export async function readText(path: string): Promise<string> {
  return (await readRegularFile(path, 2 ** 28)).toString();
}

/** The synchronous form of {@link readRegularFile}. */
export function readRegularFileSync(path: string, mostBytes: number): Buffer {
  checkRegular(statSync(path), mostBytes);
  const file = openSync(path, flags);
  try {
    checkRegular(fstatSync(file), mostBytes);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/** Without O_NONBLOCK, opening a pipe that replaced the file after the check would block. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK;

/** @throws Error if it is not a regular file of at most `mostBytes` bytes */
export function checkRegular(stats: Stats, mostBytes: number): void {
  if (!stats.isFile()) throw new Error(`it is ${kindOf(stats)}, not a regular file`);
  if (stats.size > mostBytes) {
    const [size, most] = [stats.size, mostBytes].map((count) => count.toLocaleString('en-US'));
    throw new Error(`it has ${size} bytes; at most ${most} are read`);
  }
}

/** The kind of a file, with its article: `a folder`, `a named pipe`. */
export function kindOf(stats: Stats): string {
  if (stats.isFile()) return 'a file';
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a named pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
