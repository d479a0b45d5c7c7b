import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import {
  chmod,
  lstat,
  open,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { UsageError } from '../base/errors';
import { kindOf } from '../base/read-file';
import { cannotWrite, makeFolder, writeWhole } from '../runs/folder';

/**
 * Writes the output of a flag such as `--output`, and never replaces anything but a regular file.
 *
 * A regular file is replaced as a whole and keeps its permissions. For a link, its target is replaced. Named pipes and
 * terminals receive the content. A folder, a disk, a socket or a dangling link is rejected.
 *
 * @throws UsageError if the path is rejected, or nobody reads from a pipe
 * @throws RunError if writing fails
 */
export async function writeOutput(
  path: string,
  content: string | Uint8Array,
  flag: string,
): Promise<void> {
  const found = await statsOf(path);
  if (found === undefined) {
    const isLink = await lstat(path).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    );
    if (isLink) throw new UsageError(`${flag} ${path} is a link that leads nowhere. Remove it.`);
    await writeWhole(path, content, flag);
    return;
  }
  if (found.isFile() && !isOpenFile(path)) {
    const file = await realpath(path);
    await writeWhole(file, content, flag);
    await chmod(file, found.mode & 0o7777);
    return;
  }
  if (found.isDirectory() || found.isBlockDevice() || found.isSocket()) {
    const kind = found.isBlockDevice() ? 'a disk' : kindOf(found);
    throw new UsageError(`${flag} ${path} is ${kind}. Name a file.`);
  }
  try {
    await writeThrough(path, found, content);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENXIO') {
      throw new UsageError(`${flag} ${path} is a named pipe that nobody reads from. Name a file.`, {
        cause,
      });
    }
    throw cannotWrite(path, flag, cause);
  }
}

/**
 * Creates an empty file under the first free name in a folder: `logs.tsv`, then `logs-2.tsv` and so on. Earlier files are
 * kept, and no other process gets the same name.
 *
 * @throws RunError if the file cannot be created
 */
export async function createFree(
  folder: string,
  name: string,
  ending: string,
  flag: string,
): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const path = join(folder, `${name}${attempt === 1 ? '' : `-${attempt}`}${ending}`);
    try {
      await writeFile(path, '', { flag: 'wx' });
      return path;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cannotWrite(path, flag, cause);
    }
  }
}

/** A file that another process may have open, such as `/dev/stdout`: that process would not see a replacement. */
function isOpenFile(path: string): boolean {
  return /^\/(?:dev|proc)\//.test(resolve(path));
}

async function writeThrough(
  path: string,
  found: Stats,
  content: string | Uint8Array,
): Promise<void> {
  // Opened in non-blocking mode first: a pipe without a reader would block forever.
  const probe = found.isFIFO()
    ? await open(path, constants.O_WRONLY | constants.O_NONBLOCK)
    : undefined;
  const file = await open(path, constants.O_WRONLY);
  await probe?.close();
  try {
    await file.writeFile(content);
  } finally {
    await file.close();
  }
}

async function statsOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined);
}

/** The file names that exports write. */
const exportedName =
  /^(?:about\.json|saved_model\.pb|model\.json|network\.(?:onnx|safetensors)|index\.html|group1-shard\d+of\d+\.bin)$/;

/** Options of {@link writeFolder}. */
export interface FolderOptions {
  /** The flag that named the folder, for errors. */
  readonly flag: string;
  /** Also writes into a folder with other files, which are kept. */
  readonly isForced: boolean;
}

/**
 * Checks whether {@link writeFolder} would accept a folder, for commands that compute for a long time before they write.
 *
 * @param files names of the files to write
 * @returns names of the files of an earlier export
 * @throws UsageError if it is not a folder, or contains anything but an earlier export
 */
export async function checkFolder(
  folder: string,
  files: readonly string[],
  { flag, isForced }: FolderOptions,
): Promise<readonly string[]> {
  const found = await statsOf(folder);
  if (found === undefined) return [];
  if (!found.isDirectory()) {
    throw new UsageError(`${flag} ${folder} is ${kindOf(found)}. Name a folder.`);
  }
  const names = await readdir(folder);
  if (await holdsExport(folder, names)) return names;
  if (names.length > 0 && !isForced) {
    const some = names.slice(0, 3).map((name) => JSON.stringify(name));
    const more = names.length > some.length ? ', …' : '';
    throw new UsageError(
      `${flag} ${folder} holds other files: ${some.join(', ')}${more}. Name an empty folder, or add --force to write ` +
        `${files.join(', ')} there.`,
    );
  }
  return [];
}

/**
 * Writes the files of an export into a folder, and creates the folder if necessary. Replaces or removes the files of an
 * earlier export.
 *
 * @throws UsageError as {@link checkFolder} does
 * @throws RunError if writing fails
 */
export async function writeFolder(
  folder: string,
  files: ReadonlyMap<string, string | Uint8Array>,
  options: FolderOptions,
): Promise<void> {
  const earlier = await checkFolder(folder, [...files.keys()], options);
  await makeFolder(folder, options.flag);
  for (const [name, content] of files) await writeOutput(join(folder, name), content, options.flag);
  for (const name of earlier.filter((each) => !files.has(each))) await rm(join(folder, name));
}

/** Whether a folder contains one of our exports and nothing else. */
async function holdsExport(folder: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes('about.json') || !names.every((name) => exportedName.test(name)))
    return false;
  for (const name of names) if (!(await lstat(join(folder, name))).isFile()) return false;
  try {
    const about = JSON.parse(await readFile(join(folder, 'about.json'), 'utf8')) as unknown;
    return typeof about === 'object' && about !== null && 'record' in about && 'classes' in about;
  } catch {
    return false;
  }
}
